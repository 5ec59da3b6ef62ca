-- Time that went by unseen: a row for each jump, and runs that are made up for.

-- What the clock and the daemon did beyond going on. Instants are Unix seconds: last is the last
-- minute handled before, noticed the look that saw it.
CREATE TABLE jump (
    number  INTEGER PRIMARY KEY,
    last    INTEGER NOT NULL CHECK (typeof(last) = 'integer'),
    noticed REAL    NOT NULL,
    kind    TEXT    NOT NULL,
    seconds REAL    NOT NULL,  -- its size; below nought for a clock set back
    verdict TEXT    NOT NULL   -- what the daemon made of it
);

-- Whether a run makes up for an instant that was missed: then it may start late, and gives way.
ALTER TABLE run ADD COLUMN made_up INTEGER NOT NULL DEFAULT 0 CHECK (made_up IN (0, 1));

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.zone, run.state, run.reason, run.until, run.due,
       run.made_up,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output
FROM run LEFT JOIN attempt ON attempt.run = run.number;
