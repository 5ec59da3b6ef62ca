-- name: sync_seldom
-- From here on a commit outlives a killed daemon, but perhaps not a loss of power.
PRAGMA synchronous = NORMAL;

-- name: sync_always
-- From here on a commit outlives a loss of power.
PRAGMA synchronous = FULL;

-- name: begin
-- Takes the write lock at once, so that nothing is read which another writer may change.
BEGIN IMMEDIATE;

-- name: count_commit
-- The commit under way is one more.
UPDATE high_water SET commits = commits + 1 WHERE one = 1;

-- name: commits
-- How many commits there have been.
SELECT commits FROM high_water WHERE one = 1;

-- name: count_commits_from
-- There have been so many at least.
UPDATE high_water SET commits = max(commits, :commits) WHERE one = 1;

-- name: commits_of_old
-- How many commits the other journal has.
SELECT commits FROM old.high_water WHERE one = 1;

-- name: numbers_given_by_old
-- The last number that it gave to a run.
SELECT seq FROM old.sqlite_sequence WHERE name = 'run';

-- name: checkpoint
-- What is in the log is written to the database itself, too: blocked, pages in the log, of them done.
PRAGMA wal_checkpoint(PASSIVE);

-- name: page_size
-- In bytes.
PRAGMA page_size;

-- name: commit
-- On disk when it returns.
COMMIT;

-- name: rollback
-- As if the transaction had never been.
ROLLBACK;

-- name: version
-- The number of the last migration applied, 0 for an empty database.
PRAGMA user_version;

-- name: change_nothing
-- For who wants to know whether anything can be changed.
UPDATE tick SET one = one;

-- name: schema
-- How its tables and their kind were made.
SELECT name, sql FROM sqlite_schema ORDER BY name;

-- name: claim
-- A run of its own for this key, or no row when the key is taken.
INSERT INTO run (job, instant, era, zone, state, by_hand)
VALUES (:job, :instant, :era, :zone, 'scheduled', :by_hand)
ON CONFLICT (era, instant, job) DO NOTHING;

-- name: release
-- A claim is taken back as if it had never been; what has started stays.
DELETE FROM run
WHERE number = :run
AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number AND started IS NOT NULL);

-- name: release_attempt
-- The claim of one attempt is taken back; what has started stays.
DELETE FROM attempt WHERE run = :run AND attempt = :attempt AND started IS NULL;

-- name: skip
-- An instant that is not run, or a stretch of them, or no row when the key is taken.
INSERT INTO run (job, instant, era, zone, state, reason, until)
VALUES (:job, :instant, :era, :zone, 'skipped', :reason, :until)
ON CONFLICT (era, instant, job) DO NOTHING;

-- name: lengthen
-- The row that a paused job's instants have stands for the next of them too.
UPDATE run SET until = :instant
WHERE number = (
    SELECT number FROM run
    WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
    ORDER BY instant DESC LIMIT 1
)
AND state = 'skipped' AND reason = 'paused' AND coalesce(until, instant) = :before;

-- name: claim_attempt
-- An attempt of an open run, or no row when it exists or the run is over.
INSERT INTO attempt (run, attempt, output)
SELECT number, :attempt, :output FROM run
WHERE number = :run AND state IN ('scheduled', 'running')
ON CONFLICT (run, attempt) DO NOTHING;

-- name: running
-- The run has an attempt under way.
UPDATE run SET state = 'running', due = NULL, reason = NULL WHERE number = :run;

-- name: started
-- The attempt has a process.
UPDATE attempt SET started = :started, pid = :pid, pid_started = :pid_started,
    seal = seal(run, attempt, :pid, :pid_started)
WHERE run = :run AND attempt = :attempt;

-- name: ended
-- The attempt's end was seen, or nobody will ever see it.
UPDATE attempt
SET ended = :ended, outcome = :outcome, cpu_s = :cpu_s, memory_bytes = :memory_bytes,
    limited = :limited, took = :took, emptied = :emptied
WHERE run = :run AND attempt = :attempt;

-- name: left_behind
-- Processes of the attempt got away from its end.
UPDATE attempt SET left_behind = :number WHERE run = :run AND attempt = :attempt;

-- name: retry
-- The run waits for its next attempt.
UPDATE run SET state = 'scheduled', reason = :reason, due = :due WHERE number = :run;

-- name: terminate
-- The attempt under way is being ended, and why.
UPDATE run SET reason = :reason WHERE number = :run AND state = 'running';

-- name: reopen
-- A run that was over waits for one more attempt.
UPDATE run SET state = 'scheduled', reason = NULL, due = :due, reopened = :due, made_up = 0
WHERE number = :run AND state IN ('failed', 'skipped') AND until IS NULL;

-- name: put_off
-- The run waits for its first attempt.
UPDATE run SET due = :due, made_up = :made_up, reason = :reason
WHERE number = :run AND state = 'scheduled';

-- name: finish
-- The run is over.
UPDATE run SET state = :state, reason = :reason, due = NULL WHERE number = :run;

-- name: unfinished
-- Every run that is not over, oldest first.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_open WHERE state IN ('scheduled', 'running')
)
ORDER BY era, instant, job, attempt;

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

-- name: everything
-- All runs, in the order in which they lie there: so they can be read one by one.
SELECT * FROM record ORDER BY number, attempt;

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

-- name: open_of_job
-- The runs of a job that are not over, oldest first.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_open
    WHERE job = :job AND state IN ('scheduled', 'running')
)
ORDER BY era, instant, number, attempt;

-- name: numbers_given
-- The last number that a run was given; no row where none ever was.
SELECT seq FROM sqlite_sequence WHERE name = 'run';

-- name: retrying
-- The open runs that have had an attempt and wait for another.
SELECT * FROM record
WHERE number IN (
    SELECT number FROM run INDEXED BY run_open
    WHERE state IN ('scheduled', 'running') AND state = 'scheduled'
    AND EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
)
ORDER BY job, instant, attempt;

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

-- name: taken
-- What rows of a job in an era account for: an instant, or a stretch, which may begin before.
SELECT instant, instant FROM run
WHERE job = :job AND era = :era AND state IN ('scheduled', 'running')
AND instant BETWEEN :first AND :last
UNION ALL
SELECT instant, coalesce(until, instant) FROM run
WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
AND instant BETWEEN :first AND :last
UNION ALL
SELECT instant, until FROM (
    SELECT instant, until FROM run
    WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
    AND instant < :first
    ORDER BY instant DESC LIMIT 1
)
WHERE until >= :first
ORDER BY 1;

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
-- So late it is for the age of runs.
INSERT INTO reckoning (one, at) VALUES (1, :at)
ON CONFLICT (one) DO UPDATE SET at = excluded.at;

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

-- name: take_reckoning
-- How late it was for the age of its runs.
INSERT INTO reckoning (one, at) SELECT one, at FROM old.reckoning;

-- name: take_open
-- Its runs that are not over; an index only says which: its copy of a name may be damaged.
INSERT INTO run (
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
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
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
FROM old.run NOT INDEXED
WHERE number IN (
    SELECT number FROM old.run
    WHERE era = (SELECT coalesce(max(number), 0) FROM old.era) AND instant >= :since
)
AND state NOT IN ('scheduled', 'running');

-- name: take_newest
-- Its newest runs, whatever an index says.
INSERT INTO run (
    number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
)
SELECT number, job, instant, era, zone, state, reason, until, due, made_up, by_hand, reopened
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

-- name: count_at_all
-- Numbers of runs are counted, from 0 on.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'run', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'run');

-- name: count_from
-- No run gets this number, nor one below.
UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = 'run';

-- name: emptiers
-- The jobs of which an attempt has emptied its own output.
SELECT DISTINCT job FROM attempt INDEXED BY attempt_emptied
JOIN run ON run.number = attempt.run WHERE emptied = 1;

-- name: restore
-- A run that an older journal knew; its zone is known no more, nor is what this one knows of it.
INSERT OR REPLACE INTO run (number, job, instant, zone, state)
VALUES (:run, :job, :instant, 'UTC', 'running');

-- name: restore_unknown
-- The same, where this one knows no run of that number or key.
INSERT INTO run (number, job, instant, zone, state)
VALUES (:run, :job, :instant, 'UTC', 'running')
ON CONFLICT DO NOTHING;

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
UNION ALL SELECT integrity_check FROM pragma_integrity_check('reckoning');

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
UNION SELECT 'attempt' FROM attempt
WHERE run IN (SELECT number FROM run INDEXED BY run_open WHERE state IN ('scheduled', 'running'))
AND ended IS NULL AND pid IS NOT NULL AND seal IS NOT seal(run, attempt, pid, pid_started);

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
