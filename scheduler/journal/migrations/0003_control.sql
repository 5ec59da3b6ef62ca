-- What its user says to a running daemon, and what limits do to a run.

-- Whether a run was started by hand: its instant is that second, and no schedule's.
ALTER TABLE run ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0 CHECK (by_hand IN (0, 1));

-- When a run that was over was opened again by hand: its windows count from then.
ALTER TABLE run ADD COLUMN reopened REAL;

-- Which limit ended the attempt; null for none.
ALTER TABLE attempt ADD COLUMN limited TEXT CHECK (limited IN ('memory', 'cpu'));

-- Jobs that start nothing by their schedule, from a time on and until another (null: until told).
CREATE TABLE pause (
    job   TEXT NOT NULL PRIMARY KEY,
    since REAL NOT NULL,
    until REAL,
    note  TEXT NOT NULL
) WITHOUT ROWID;

-- The stretches alone: there are few, and runs are many.
CREATE INDEX run_stretch ON run (until) WHERE until IS NOT NULL;

-- With the state in it, what counts a job's runs reads the index alone.
DROP INDEX run_over;
CREATE INDEX run_over ON run (job, instant, state)
    WHERE state IN ('succeeded', 'failed', 'skipped');

-- How late it was for the age of runs when it was last told: it may lag behind the clock, so that
-- one which is wrong for a while makes nothing old. One row.
CREATE TABLE reckoning (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  REAL    NOT NULL
);

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.zone, run.state, run.reason, run.until, run.due,
       run.made_up, run.by_hand, run.reopened,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output,
       attempt.limited
FROM run LEFT JOIN attempt ON attempt.run = run.number;
