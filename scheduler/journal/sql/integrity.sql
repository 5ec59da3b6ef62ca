-- Where a journal is damaged.

-- name: change_nothing
-- For who wants to know whether anything can be changed.
UPDATE tick SET one = one;

-- name: everything
-- All runs, in the order in which they lie there: so they can be read one by one.
SELECT * FROM record ORDER BY number, attempt;

-- name: every_notice
-- All notices, in the order in which they lie there: so they can be read one by one.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice;

-- name: check_pages
-- How large the journal is.
PRAGMA page_count;

-- name: check_all
-- "ok", or the first thing in the whole file that is not as SQLite wrote it.
PRAGMA integrity_check(1);

-- name: check_small
-- The same of the small tables that a daemon goes on from.
SELECT integrity_check FROM pragma_integrity_check('tick')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('era')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('anchor')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('boot')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('pause')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('backlog')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('jump')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('reckoning')
UNION ALL SELECT integrity_check FROM pragma_integrity_check('alert_state');

-- name: check_newest
-- The newest runs that an index does not lead to: whether a key is taken is asked of it.
SELECT number FROM (SELECT * FROM run NOT INDEXED ORDER BY number DESC LIMIT 3000) AS new
WHERE number IS NOT (
    SELECT number FROM run INDEXED BY sqlite_autoindex_run_1
    WHERE era = new.era AND instant = new.instant AND job = new.job
)
OR number IS NOT coalesce(
    (
        SELECT number FROM run INDEXED BY run_open
        WHERE state IN ('scheduled', 'running') AND job = new.job AND era = new.era
        AND instant = new.instant
    ),
    (
        SELECT number FROM run INDEXED BY run_over
        WHERE state IN ('succeeded', 'failed', 'skipped') AND job = new.job AND era = new.era
        AND instant = new.instant
    )
);

-- name: check_numbers
-- The highest number that a run has, and the one that was given last.
SELECT max(number) FROM run
UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'run';

-- name: check_seals
-- The tables in which a row is not as it was written.
SELECT 'tick' FROM tick WHERE seal IS NOT seal(minute)
UNION SELECT 'era' FROM era WHERE seal IS NOT seal(number, since, last, noticed)
UNION SELECT 'anchor' FROM anchor WHERE seal IS NOT seal(job, interval_minutes, instant)
UNION SELECT 'boot' FROM boot WHERE seal IS NOT seal(job, boot_id)
UNION SELECT 'pause' FROM pause WHERE seal IS NOT seal(job, since, until, note)
UNION SELECT 'backlog' FROM backlog
WHERE seal IS NOT seal(job, schedule, zone, next, last, remain, missed, late)
UNION SELECT 'alert_state' FROM alert_state WHERE seal IS NOT seal(job, state)
UNION SELECT 'notice' FROM notice INDEXED BY notice_due
WHERE state = 'waiting' AND seal IS NOT seal(target, body)
UNION SELECT 'notice' FROM notice INDEXED BY notice_sending
WHERE state = 'sending' AND seal IS NOT seal(target, body)
UNION SELECT 'attempt' FROM attempt
WHERE run IN (SELECT number FROM run INDEXED BY run_open WHERE state IN ('scheduled', 'running'))
AND ended IS NULL AND pid IS NOT NULL AND seal IS NOT seal(run, attempt, pid, pid_started);
