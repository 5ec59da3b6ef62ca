-- Which process an attempt has carries such a number too: were it taken for another one, the job that
-- lives would be started beside itself.

ALTER TABLE attempt ADD COLUMN seal INTEGER;
UPDATE attempt SET seal = seal(run, attempt, pid, pid_started) WHERE ended IS NULL;
