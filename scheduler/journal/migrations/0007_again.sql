-- Of each run whether its instants came again, since the clock was set back: when, and from where.

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.era, run.zone, run.state, run.reason, run.until,
       run.due, run.made_up, run.by_hand, run.reopened,
       again.noticed AS set_back, again.since AS again_from,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output,
       attempt.limited, attempt.took, attempt.emptied
FROM run
LEFT JOIN era AS again ON again.number = (
    SELECT number FROM era
    WHERE era.number > run.era AND era.since <= coalesce(run.until, run.instant)
    ORDER BY number LIMIT 1
)
LEFT JOIN attempt ON attempt.run = run.number;
