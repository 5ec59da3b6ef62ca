-- What has been: runs as the commands show them, and jumps of the clock.
--
-- Each goes by an index: what it costs grows with what it returns, and not with the table. The
-- states stand in full where run_open or run_over is meant (see journal.sql), and a narrower state
-- behind them. The view record is a run beside each of its attempts.

-- name: history
-- The newest runs of all jobs in a stretch of time, in the order of their instants and numbers.
-- A negative limit is none, an empty state is any. Rows that began earlier may reach into the time.
-- What ran before the clock was set back, so that time came again, is older than what ran after it.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM (
        SELECT * FROM (
            SELECT number, era, instant FROM run
            WHERE instant >= :since AND instant < :before AND :state IN ('', state)
            ORDER BY era DESC, instant DESC, number DESC LIMIT :limit
        )
        UNION ALL
        SELECT number, era, instant FROM run INDEXED BY run_stretch
        WHERE until >= :since AND instant < :since AND :state IN ('', state)
        ORDER BY era DESC, instant DESC, number DESC LIMIT :limit
    )
)
ORDER BY era, instant, number, attempt;

-- name: history_of_job
-- The same of one job.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM (
        SELECT number, era, instant FROM run
        WHERE job = :job AND state IN ('scheduled', 'running')
        AND instant >= :since AND instant < :before AND :state IN ('', state)
        UNION ALL
        SELECT * FROM (
            SELECT number, era, instant FROM run
            WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped')
            AND instant >= :since AND instant < :before AND :state IN ('', state)
            ORDER BY era DESC, instant DESC, number DESC LIMIT :limit
        )
        UNION ALL
        SELECT number, era, instant FROM run INDEXED BY run_stretch
        WHERE job = :job AND until >= :since AND instant < :since AND :state IN ('', state)
        ORDER BY era DESC, instant DESC, number DESC LIMIT :limit
    )
)
ORDER BY era, instant, number, attempt;

-- name: run
-- One run by its number.
SELECT * FROM record WHERE number = :run ORDER BY attempt;

-- name: latest
-- The newest run of a job by now that came as far as an attempt.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM (
        SELECT number, era, instant FROM run
        WHERE job = :job AND instant <= :now AND state IN ('scheduled', 'running')
        AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
        UNION ALL
        SELECT number, era, instant FROM run
        WHERE job = :job AND instant <= :now AND state IN ('succeeded', 'failed', 'skipped')
        AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
        ORDER BY era DESC, instant DESC LIMIT 1
    )
)
ORDER BY attempt;

-- name: failed_since_success
-- The runs of a job that have failed since one succeeded, oldest first.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_over
    WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND state = 'failed'
    AND (era, instant) > (
        SELECT * FROM (
            SELECT era, instant FROM run INDEXED BY run_over
            WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped')
            AND state = 'succeeded'
            ORDER BY era DESC, instant DESC LIMIT 1
        )
        UNION ALL SELECT -1, 0 ORDER BY 1 DESC LIMIT 1
    )
)
ORDER BY era, instant, number, attempt;

-- name: durations
-- How long the newest successful runs of a job took, but for one of them.
SELECT took FROM run INDEXED BY run_over
CROSS JOIN attempt ON attempt.run = run.number
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND state = 'succeeded'
AND number <> :besides AND took IS NOT NULL
AND attempt = (SELECT max(attempt) FROM attempt AS other WHERE other.run = run.number)
ORDER BY era DESC, instant DESC LIMIT :limit;

-- name: last_success
-- When the newest successful run of a job by now ended.
SELECT ended FROM run INDEXED BY run_over
CROSS JOIN attempt ON attempt.run = run.number
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND state = 'succeeded'
AND instant <= :now AND ended IS NOT NULL
ORDER BY era DESC, instant DESC, attempt DESC LIMIT 1;

-- name: open_of_job
-- The runs of a job that are not over, oldest first.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_open
    WHERE job = :job AND state IN ('scheduled', 'running')
)
ORDER BY era, instant, number, attempt;

-- name: jobs
-- The name of each job that has a run, a job after the other.
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
SELECT job FROM known WHERE job IS NOT NULL
UNION
SELECT job FROM run INDEXED BY run_open WHERE state IN ('scheduled', 'running')
ORDER BY job;

-- name: at
-- What accounts for an instant of a job in an era: its own row, or the newest stretch over it.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM (
        SELECT number, instant FROM run
        WHERE job = :job AND era = :era AND state IN ('scheduled', 'running')
        AND instant = :instant
        UNION ALL
        SELECT number, instant FROM run
        WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
        AND instant <= :instant AND coalesce(until, instant) >= :instant
        ORDER BY instant DESC LIMIT 1
    )
)
ORDER BY attempt;

-- name: jumps
-- The newest jumps, in the order in which they were noticed; a negative limit is none.
SELECT last, noticed, kind, seconds, verdict FROM jump
WHERE number IN (SELECT number FROM jump ORDER BY number DESC LIMIT :limit)
ORDER BY number;

-- name: jumps_over
-- The jumps in whose stretch an instant lies, whichever way they went.
SELECT last, noticed, kind, seconds, verdict FROM jump
WHERE min(last, noticed) <= :instant AND max(last + 60, noticed) > :instant
ORDER BY number;

-- name: emptiers
-- The jobs of which an attempt has emptied its own output.
SELECT DISTINCT job FROM attempt INDEXED BY attempt_emptied
JOIN run ON run.number = attempt.run WHERE emptied = 1;
