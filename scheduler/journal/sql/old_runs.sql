-- What may be too old to keep, and its removal.

-- name: next_job
-- The first job after this name that has a run which is over.
SELECT job FROM run
WHERE state IN ('succeeded', 'failed', 'skipped') AND job > :job
ORDER BY job LIMIT 1;

-- name: nth_newest
-- The last of a job's newest runs that are over, so many of them: its era and instant.
SELECT era, instant FROM run
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped')
ORDER BY era DESC, instant DESC LIMIT 1 OFFSET :number - 1;

-- name: eras_of
-- The eras in which a job has runs that are over; it goes from one to the next.
WITH RECURSIVE known (era) AS (
    SELECT min(era) FROM run WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped')
    UNION ALL
    SELECT (
        SELECT min(run.era) FROM run
        WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND run.era > known.era
    )
    FROM known WHERE known.era IS NOT NULL
)
SELECT era FROM known WHERE era IS NOT NULL;

-- name: newest
-- A job's newest run by now that is over, and the newest of them that came as far as an attempt.
SELECT number FROM (
    SELECT number FROM run
    WHERE job = :job AND instant <= :now AND state IN ('succeeded', 'failed', 'skipped')
    ORDER BY era DESC, instant DESC LIMIT 1
)
UNION ALL
SELECT number FROM (
    SELECT number FROM run
    WHERE job = :job AND instant <= :now AND state IN ('succeeded', 'failed', 'skipped')
    AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
    ORDER BY era DESC, instant DESC LIMIT 1
);

-- name: before
-- A job's oldest runs of an era that are over and lie before an instant with all they stand for.
SELECT old.number, attempt.output FROM (
    SELECT number, instant FROM run
    WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
    AND instant < :instant AND coalesce(until, instant) < :instant
    ORDER BY instant LIMIT :limit
) AS old LEFT JOIN attempt ON attempt.run = old.number
ORDER BY old.instant, attempt.attempt;

-- name: forget
-- A run that is over is no longer kept, nor are its attempts.
DELETE FROM run WHERE number = :run AND state IN ('succeeded', 'failed', 'skipped');

-- name: forget_jumps
-- Of the oldest jumps those that are too old, or too many, are no longer kept.
DELETE FROM jump
WHERE number IN (SELECT number FROM jump ORDER BY number LIMIT :limit)
AND (
    max(last, noticed) < :instant
    OR number <= (SELECT number FROM jump ORDER BY number DESC LIMIT 1 OFFSET :keep)
);

-- name: knows
-- Whether an output is that of an attempt.
SELECT 1 FROM attempt WHERE run = :run AND attempt = :attempt AND output = :output;

-- name: reckoning
-- How late it was for the age of runs.
SELECT at FROM reckoning WHERE one = 1;

-- name: set_reckoning
-- How late it is for the age of runs: the clock, unless that is far ahead (see retention).
INSERT INTO reckoning (one, at) VALUES (1, :at)
ON CONFLICT (one) DO UPDATE SET at = excluded.at;
