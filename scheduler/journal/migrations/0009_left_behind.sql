-- What got away when an attempt was ended.

-- How many of its processes were in another session or group, where its signals do not reach.
ALTER TABLE attempt ADD COLUMN left_behind INTEGER CHECK (left_behind > 0);

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.era, run.zone, run.state, run.reason, run.until,
       run.due, run.made_up, run.by_hand, run.reopened,
       again.noticed AS set_back, again.since AS again_from,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output,
       attempt.limited, attempt.took, attempt.emptied, attempt.left_behind
FROM run
LEFT JOIN era AS again ON again.number = (
    SELECT number FROM era
    WHERE era.number > run.era AND era.since <= coalesce(run.until, run.instant)
    ORDER BY number LIMIT 1
)
LEFT JOIN attempt ON attempt.run = run.number;
