-- What is taken from a damaged journal, which is attached as old.
--
-- A statement that begins with take fills a table of the new journal; one that begins with lost
-- tells what of it can't be relied on.

-- name: commits_of_old
-- How many commits the other journal has.
SELECT commits FROM old.high_water WHERE one = 1;

-- name: numbers_given_by_old
-- The last number that it gave to a run.
SELECT seq FROM old.sqlite_sequence WHERE name = 'run';

-- name: be_lenient
-- From here on tables can be read beside one whose definition is damaged.
PRAGMA writable_schema = ON;

-- name: be_strict
-- And from here on no more.
PRAGMA writable_schema = OFF;

-- name: attach
-- Another journal can be read beside this one.
ATTACH :path AS old;

-- name: detach
-- The other one is let go of.
DETACH old;

-- name: take_numbers
-- Numbers of runs go on where the other journal stopped.
INSERT INTO sqlite_sequence (name, seq)
SELECT name, max(seq, coalesce((SELECT max(number) FROM old.run), 0))
FROM old.sqlite_sequence WHERE name = 'run';

-- name: take_tick
-- The other's last minute handled.
INSERT INTO tick (one, minute, seal) SELECT one, minute, seal FROM old.tick;

-- name: take_eras
-- Its eras.
INSERT INTO era (number, since, last, noticed, seal)
SELECT number, since, last, noticed, seal FROM old.era;

-- name: take_anchors
-- From where its @every jobs count.
INSERT INTO anchor (job, interval_minutes, instant, seal)
SELECT job, interval_minutes, instant, seal FROM old.anchor
WHERE seal IS seal(job, interval_minutes, instant);

-- name: take_boots
-- The boots that its @reboot jobs ran for.
INSERT INTO boot (job, boot_id, seal) SELECT job, boot_id, seal FROM old.boot
WHERE seal IS seal(job, boot_id);

-- name: take_pauses
-- The pauses that it knew.
INSERT INTO pause (job, since, until, note, seal)
SELECT job, since, until, note, seal FROM old.pause
WHERE seal IS seal(job, since, until, note);

-- name: take_backlogs
-- What was still to run of the instants of its jobs.
INSERT INTO backlog (job, schedule, zone, next, last, remain, missed, late, seal)
SELECT job, schedule, zone, next, last, remain, missed, late, seal FROM old.backlog
WHERE seal IS seal(job, schedule, zone, next, last, remain, missed, late);

-- name: take_alert_states
-- What was told of its jobs.
INSERT INTO alert_state (job, state, seal) SELECT job, state, seal FROM old.alert_state
WHERE seal IS seal(job, state);

-- name: take_notices
-- What somebody was to hear, and has heard.
INSERT INTO notice (
    number, target, body, state, due, delivery, tries, repeated, error, done, seal
)
SELECT number, target, body, state, due, delivery, tries, repeated, error, done, seal
FROM old.notice WHERE seal IS seal(target, body);

-- name: take_reckoning
-- How late it was for the age of its runs.
INSERT INTO reckoning (one, at) SELECT one, at FROM old.reckoning;

-- name: take_open
-- Its runs that are not over; an index only says which: its copy of a name may be damaged.
INSERT INTO run (
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
FROM old.run NOT INDEXED
WHERE number IN (
    SELECT number FROM old.run INDEXED BY run_open WHERE state IN ('scheduled', 'running')
);

-- name: lost_open
-- The open runs that were taken and are others by the index: one of the two is damaged.
SELECT number FROM main.run AS taken
WHERE state IN ('scheduled', 'running')
AND number IS NOT (
    SELECT number FROM old.run INDEXED BY run_open
    WHERE state IN ('scheduled', 'running') AND job = taken.job AND era = taken.era
    AND instant = taken.instant
);

-- name: take_recent
-- Its other runs of the present era from an instant on.
INSERT INTO run (
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
FROM old.run NOT INDEXED
WHERE number IN (
    SELECT number FROM old.run
    WHERE era = (SELECT coalesce(max(number), 0) FROM old.era) AND instant >= :since
)
AND state NOT IN ('scheduled', 'running');

-- name: take_newest
-- Its newest runs, whatever an index says.
INSERT INTO run (
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened,
    user
FROM (SELECT * FROM old.run NOT INDEXED ORDER BY number DESC LIMIT 3000)
WHERE number NOT IN (SELECT number FROM main.run);

-- name: take_attempts
-- The attempts of the runs that were taken, if they have none yet.
INSERT INTO attempt (
    run, attempt, started, ended, outcome, cpu_s, memory_bytes, pid, pid_started, output, limited,
    took, emptied, left_behind, seal
)
SELECT
    run, attempt, started, ended, outcome, cpu_s, memory_bytes, pid, pid_started, output, limited,
    took, emptied, left_behind, seal
FROM old.attempt
WHERE run IN (SELECT number FROM main.run EXCEPT SELECT run FROM main.attempt);

-- name: take_jumps
-- Its jumps.
INSERT INTO jump (number, last, noticed, kind, seconds, verdict, era)
SELECT number, last, noticed, kind, seconds, verdict, era FROM old.jump;

-- name: drop_open
-- What an older journal has open may be over.
DELETE FROM run WHERE state IN ('scheduled', 'running');

-- name: drop_backlogs
-- What it has still to run may have run.
DELETE FROM backlog;

-- name: repeat_notices
-- Nobody knows what was sent since of what it has to send: it may be sent twice, and says so.
UPDATE notice SET repeated = 1 WHERE state IN ('waiting', 'sending');

-- name: lost_alert_states
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.alert_state
WHERE seal IS NOT seal(job, state);

-- name: lost_notices
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.notice
WHERE seal IS NOT seal(target, body);

-- name: lost_anchors
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.anchor
WHERE seal IS NOT seal(job, interval_minutes, instant);

-- name: lost_boots
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.boot
WHERE seal IS NOT seal(job, boot_id);

-- name: lost_pauses
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.pause
WHERE seal IS NOT seal(job, since, until, note);

-- name: lost_backlogs
-- How many of the other's rows are not as they were written.
SELECT count(*) FROM old.backlog
WHERE seal IS NOT seal(job, schedule, zone, next, last, remain, missed, late);
