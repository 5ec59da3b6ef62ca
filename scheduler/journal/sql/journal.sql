-- The life of a run: claimed, started, ended, tried again, over; and, last, what a journal is told
-- that is begun anew.
--
-- A run is in one of two partial indexes, run_open and run_over, by its state. SQLite takes one of
-- them only for a statement that names the same states, so these stand in full where it is meant.

-- name: claim
-- A run of its own for this key, or no row when the key is taken.
INSERT INTO run (job, instant, era, zone, state, by_hand, user)
VALUES (:job, :instant, :era, :zone, 'scheduled', :by_hand, :user)
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
INSERT INTO run (job, instant, era, zone, state, reason, until, user)
VALUES (:job, :instant, :era, :zone, 'skipped', :reason, :until, :user)
ON CONFLICT (era, instant, job) DO NOTHING;

-- name: lengthen
-- The row of a job's instants that were let go by for one reason stands for the next of them too.
UPDATE run SET until = :instant
WHERE number = (
    SELECT number FROM run
    WHERE job = :job AND era = :era AND state IN ('succeeded', 'failed', 'skipped')
    ORDER BY instant DESC LIMIT 1
)
AND state = 'skipped' AND reason = :reason AND user IS :user AND coalesce(until, instant) = :before;

-- name: disown
-- From now on the run is a matter of the daemon's own user alone.
UPDATE run SET user = NULL WHERE number = :run;

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

-- name: count_at_all
-- Numbers of runs are counted, from 0 on: SQLite itself makes that row with the first run.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'run', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'run');

-- name: count_from
-- No run gets this number, nor one below.
UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = 'run';

-- name: count_commits_from
-- There have been so many at least.
UPDATE high_water SET commits = max(commits, :commits) WHERE one = 1;

-- name: restore
-- A run that an older journal knew; its zone is known no more, nor is what this one knows of it.
INSERT OR REPLACE INTO run (number, job, instant, zone, state)
VALUES (:run, :job, :instant, 'UTC', 'running');

-- name: restore_unknown
-- The same, where this one knows no run of that number or key.
INSERT INTO run (number, job, instant, zone, state)
VALUES (:run, :job, :instant, 'UTC', 'running')
ON CONFLICT DO NOTHING;
