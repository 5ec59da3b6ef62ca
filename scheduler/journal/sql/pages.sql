-- History in pages, from the newest run on: as one who is not shown the journal is told it.
--
-- Each looks at so many runs and no more, whatever is asked for: the daemon's loop waits for it.
-- The states stand in full where run_open or run_over is meant (see journal.sql).

-- name: keys_of_all
-- The keys of runs that come before one, the newest first.
SELECT number, era, instant, state, until, user, job FROM run
WHERE (era, instant, number) < (:era, :second, :number)
ORDER BY era DESC, instant DESC, number DESC LIMIT :most;

-- name: keys_of_user
-- The same of one user's runs, of whichever job: another user's are not even looked at.
SELECT number, era, instant, state, until, user, job FROM run INDEXED BY run_of_user
WHERE user = :user AND (era, instant, number) < (:era, :second, :number)
ORDER BY era DESC, instant DESC, number DESC LIMIT :most;

-- name: keys_of_job
-- The same of one job's runs.
SELECT number, era, instant, state, until, user, job FROM run INDEXED BY run_open
WHERE job = :job AND state IN ('scheduled', 'running')
AND (era, instant, number) < (:era, :second, :number)
UNION ALL
SELECT number, era, instant, state, until, user, job FROM run INDEXED BY run_over
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped')
AND (era, instant, number) < (:era, :second, :number)
ORDER BY era DESC, instant DESC, number DESC LIMIT :most;

-- name: records
-- The runs of these numbers, the newest first.
SELECT * FROM record WHERE number IN (SELECT value FROM json_each(:numbers))
ORDER BY era DESC, instant DESC, number DESC, attempt;
