-- name: failing
-- Where a job's newest finished run by now failed, that run; one that was ended on purpose is none.
-- It goes from job to job, so it costs by the jobs and not by their runs.
WITH RECURSIVE known (job) AS (
    SELECT min(job) FROM run INDEXED BY run_over
    WHERE state IN ('succeeded', 'failed', 'skipped')
    UNION ALL
    SELECT (
        SELECT min(run.job) FROM run INDEXED BY run_over
        WHERE state IN ('succeeded', 'failed', 'skipped') AND run.job > known.job
    )
    FROM known WHERE known.job IS NOT NULL
)
SELECT record.* FROM known CROSS JOIN record ON record.number = (
    SELECT number FROM run INDEXED BY run_over
    WHERE run.job = known.job
    AND state IN ('succeeded', 'failed', 'skipped') AND state <> 'skipped'
    AND (reason IS NULL OR reason NOT IN ('killed by hand', 'replaced', 'daemon stopped'))
    AND instant <= :now
    ORDER BY era DESC, instant DESC LIMIT 1
)
WHERE record.state = 'failed'
ORDER BY known.job, attempt;

-- name: failing_since
-- How many of a job's finished runs by now have failed since one succeeded, and the first of them.
-- One that was ended on purpose does not count.
SELECT count(*), min(instant) FROM run INDEXED BY run_over
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND state = 'failed'
AND (reason IS NULL OR reason NOT IN ('killed by hand', 'replaced', 'daemon stopped'))
AND instant <= :now AND (era, instant) > (
    SELECT * FROM (
        SELECT era, instant FROM run INDEXED BY run_over
        WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND state = 'succeeded'
        AND instant <= :now
        ORDER BY era DESC, instant DESC LIMIT 1
    )
    UNION ALL SELECT -1, 0 ORDER BY 1 DESC LIMIT 1
);

-- name: retrying
-- The open runs that have had an attempt and wait for another.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_open
    WHERE state IN ('scheduled', 'running') AND state = 'scheduled'
    AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
)
ORDER BY job, instant, attempt;

-- name: count_failed
-- How many notices were given up, from a time on until another.
SELECT count(*) FROM notice WHERE state = 'failed' AND done BETWEEN :since AND :until;

-- name: count_tried
-- How many notices wait to be tried again.
SELECT count(*) FROM notice WHERE state = 'waiting' AND tries > 0;
