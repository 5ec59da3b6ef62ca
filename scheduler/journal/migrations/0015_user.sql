-- Whose run it is: the user as whom its job runs. None is the daemon's own user, whose all runs were
-- before. Of one that attempts of two users belong to, nobody but the daemon's user is told.

ALTER TABLE run ADD COLUMN user TEXT CHECK (user <> '');

-- A user's runs, in the order in which they are told.
CREATE INDEX run_of_user ON run (user, era, instant) WHERE user IS NOT NULL;

DROP VIEW record;
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.era, run.zone, run.state, run.reason, run.until,
       run.due, run.made_up, run.by_hand, run.reopened,
       again.noticed AS set_back, again.since AS again_from, run.user,
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
