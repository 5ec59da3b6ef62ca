-- A clock that was set back by mistake may be set right: then time goes on in a new era, and what
-- the era between did not come to has not come again.

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
    AND run.instant <= coalesce(
        (SELECT following.last FROM era AS following WHERE following.number = era.number + 1),
        run.instant
    )
    ORDER BY number LIMIT 1
)
LEFT JOIN attempt ON attempt.run = run.number;
