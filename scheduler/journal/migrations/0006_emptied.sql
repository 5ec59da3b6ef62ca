-- What a job did to its own output.

-- Whether the attempt emptied its output file: what it had written before is gone.
ALTER TABLE attempt ADD COLUMN emptied INTEGER NOT NULL DEFAULT 0 CHECK (emptied IN (0, 1));

-- Those alone: there are few.
CREATE INDEX attempt_emptied ON attempt (run) WHERE emptied = 1;

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.era, run.zone, run.state, run.reason, run.until,
       run.due, run.made_up, run.by_hand, run.reopened,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output,
       attempt.limited, attempt.took, attempt.emptied
FROM run LEFT JOIN attempt ON attempt.run = run.number;
