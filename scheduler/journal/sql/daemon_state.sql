-- What a daemon remembers beside its runs, for the next one.
--
-- A row's seal is a number that is worked out of its values: another one tells of a damage.

-- name: last_instant
-- The newest instant of a job's schedule that is accounted for, run or not.
SELECT coalesce(until, instant), era, instant FROM run
WHERE job = :job AND state IN ('scheduled', 'running') AND by_hand = 0
UNION ALL
SELECT coalesce(until, instant), era, instant FROM run
WHERE job = :job AND state IN ('succeeded', 'failed', 'skipped') AND by_hand = 0
UNION ALL
SELECT last, (SELECT coalesce(max(number), 0) FROM era), last FROM backlog WHERE job = :job
ORDER BY era DESC, instant DESC LIMIT 1;

-- name: pauses
-- The paused jobs, in the order of their names.
SELECT job, since, until, note FROM pause ORDER BY job;

-- name: pause
-- The job is paused from now on.
INSERT INTO pause (job, since, until, note, seal)
VALUES (:job, :since, :until, :note, seal(:job, :since, :until, :note))
ON CONFLICT (job) DO UPDATE
SET since = excluded.since, until = excluded.until, note = excluded.note, seal = excluded.seal;

-- name: resume
-- The job goes by its schedule again.
DELETE FROM pause WHERE job = :job;

-- name: backlogs
-- What is still to run of the instants of each job that has a backlog.
SELECT job, schedule, zone, next, last, remain, missed, late FROM backlog ORDER BY job;

-- name: backlog
-- The same of one job.
SELECT job, schedule, zone, next, last, remain, missed, late FROM backlog WHERE job = :job;

-- name: set_backlog
-- This is what is still to run.
INSERT INTO backlog (job, schedule, zone, next, last, remain, missed, late, seal)
VALUES (
    :job, :schedule, :zone, :next, :last, :remain, :missed, :late,
    seal(:job, :schedule, :zone, :next, :last, :remain, :missed, :late)
)
ON CONFLICT (job) DO UPDATE
SET schedule = excluded.schedule, zone = excluded.zone, next = excluded.next,
    last = excluded.last, remain = excluded.remain, missed = excluded.missed,
    late = excluded.late, seal = excluded.seal;

-- name: end_backlog
-- Nothing of it is left.
DELETE FROM backlog WHERE job = :job;

-- name: jump
-- A jump of the clock, or a time without a daemon.
INSERT INTO jump (last, noticed, kind, seconds, verdict, era)
VALUES (:last, :noticed, :kind, :seconds, :verdict, :era);

-- name: leaps
-- The jumps of an era that left minutes out which lie behind an instant.
SELECT last, noticed, kind, seconds, verdict FROM jump
WHERE era = :era AND verdict = 'accounted' AND noticed > :instant
ORDER BY number;

-- name: eras
-- The eras that began when the clock was set back, in order.
SELECT number, since, last, noticed FROM era ORDER BY number;

-- name: begin_era
-- Time comes again, from a minute on.
INSERT INTO era (number, since, last, noticed, seal)
VALUES (:number, :since, :last, :noticed, seal(:number, :since, :last, :noticed));

-- name: last_tick
-- The last minute handled.
SELECT minute FROM tick WHERE one = 1;

-- name: set_last_tick
-- This minute has been handled.
INSERT INTO tick (one, minute, seal) VALUES (1, :minute, seal(:minute))
ON CONFLICT (one) DO UPDATE SET minute = excluded.minute, seal = excluded.seal;

-- name: anchor
-- From where a job counts this interval; no row when it last counted another.
SELECT instant FROM anchor WHERE job = :job AND interval_minutes = :interval_minutes;

-- name: set_anchor
-- The job counts this interval from here.
INSERT INTO anchor (job, interval_minutes, instant, seal)
VALUES (:job, :interval_minutes, :instant, seal(:job, :interval_minutes, :instant))
ON CONFLICT (job) DO UPDATE
SET interval_minutes = excluded.interval_minutes, instant = excluded.instant,
    seal = excluded.seal;

-- name: rewind_anchors
-- No job counts from a time that is still to come: its anchor moves back by whole intervals.
UPDATE anchor
SET instant = instant - interval_minutes * 60
    * ((instant - :minute + interval_minutes * 60 - 1) / (interval_minutes * 60)),
    seal = NULL
WHERE instant > :minute;

-- name: seal_anchors
-- Those that were moved get the number that is theirs.
UPDATE anchor SET seal = seal(job, interval_minutes, instant) WHERE seal IS NULL;

-- name: booted
-- Whether a job has run for this boot; an empty name stands for all.
SELECT 1 FROM boot WHERE job IN (:job, '') AND boot_id = :boot_id;

-- name: set_booted
-- The job has run for this boot.
INSERT INTO boot (job, boot_id, seal) VALUES (:job, :boot_id, seal(:job, :boot_id))
ON CONFLICT (job) DO UPDATE SET boot_id = excluded.boot_id, seal = excluded.seal;

-- name: old_names
-- The names that an earlier version may have derived.
SELECT job FROM old_name;

-- name: forget_old_name
-- It has become another one.
DELETE FROM old_name WHERE job = :old;

-- name: rename_runs
-- What the new name has of its own stays.
UPDATE OR IGNORE run SET job = :new
WHERE number IN (
    SELECT number FROM run WHERE job = :old AND state IN ('scheduled', 'running')
    UNION ALL
    SELECT number FROM run WHERE job = :old AND state IN ('succeeded', 'failed', 'skipped')
);

-- name: rename_anchor
-- From where the job counts.
UPDATE OR IGNORE anchor SET job = :new, seal = seal(:new, interval_minutes, instant)
WHERE job = :old;

-- name: rename_boot
-- The boot that it ran for.
UPDATE OR IGNORE boot SET job = :new, seal = seal(:new, boot_id) WHERE job = :old;

-- name: rename_pause
-- Whether it is paused.
UPDATE OR IGNORE pause SET job = :new, seal = seal(:new, since, until, note) WHERE job = :old;
