-- What somebody is to hear: notices, and what was told of each job.

-- name: add_notice
-- Somebody is to hear of this.
INSERT INTO notice (target, body, state, due, seal)
VALUES (:target, :body, 'waiting', :due, seal(:target, :body));

-- name: count_of_user
-- How many notices wait whose targets are between two; no more than so many are counted.
SELECT count(*) FROM (
    SELECT 1 FROM notice
    WHERE state = 'waiting' AND target >= :first AND target < :after LIMIT :most
);

-- name: alert_state
-- What was told of a job.
SELECT state FROM alert_state WHERE job = :job;

-- name: set_alert_state
-- This was told of it.
INSERT INTO alert_state (job, state, seal) VALUES (:job, :state, seal(:job, :state))
ON CONFLICT (job) DO UPDATE SET state = excluded.state, seal = excluded.seal;

-- name: forget_alert_state
-- There is nothing to know of it.
DELETE FROM alert_state WHERE job = :job;

-- name: alert_jobs
-- The jobs of which something was told that is not over.
SELECT job FROM alert_state ORDER BY job;

-- name: targets
-- Who is to hear something, and when the first of it is due; it goes from one to the next.
WITH RECURSIVE known (target) AS (
    SELECT min(target) FROM notice WHERE state = 'waiting'
    UNION ALL
    SELECT (
        SELECT min(notice.target) FROM notice
        WHERE state = 'waiting' AND notice.target > known.target
    )
    FROM known WHERE known.target IS NOT NULL
)
SELECT target, (SELECT min(due) FROM notice WHERE state = 'waiting' AND target = known.target)
FROM known WHERE target IS NOT NULL;

-- name: waiting_again
-- The first notices of a target whose delivery has been tried, a delivery's together.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice
WHERE state = 'waiting' AND target = :target AND delivery IS NOT NULL
ORDER BY delivery, number LIMIT :limit;

-- name: waiting_new
-- The first notices of a target that were never sent.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice
WHERE state = 'waiting' AND target = :target AND delivery IS NULL
ORDER BY number LIMIT :limit;

-- name: send_notice
-- It is handed to a sender, in this delivery.
UPDATE notice SET state = 'sending', delivery = :delivery
WHERE number = :number AND state = 'waiting';

-- name: sending
-- What a sender has.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice
WHERE state = 'sending' ORDER BY delivery, number;

-- name: of_delivery
-- The same of one delivery.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice
WHERE state = 'sending' AND delivery = :delivery ORDER BY number;

-- name: end_notice
-- A notice was sent, or is given up.
UPDATE notice SET state = :state, error = :error, done = :done, tries = tries + :tried
WHERE number = :number AND state = 'sending';

-- name: wait_notice
-- A notice is tried again, in this delivery.
UPDATE notice
SET state = 'waiting', error = :error, due = :due, delivery = :delivery, tries = tries + :tried,
    repeated = max(repeated, :repeated)
WHERE number = :number AND state = 'sending';

-- name: hasten_notices
-- Nothing waits until later than this: the clock was set back.
UPDATE notice SET due = :now WHERE state = 'waiting' AND target = :target AND due > :latest;

-- name: shift_notices
-- The clock was set back by so much: what waits does not wait longer for that.
UPDATE notice SET due = due - :seconds WHERE state = 'waiting';

-- name: notices
-- The newest notices, in any state or in one of two.
SELECT number, body, state, due, delivery, tries, repeated, error, done FROM notice
WHERE :any OR state IN (:one, :other) ORDER BY number DESC LIMIT :limit;

-- name: forget_notices
-- Some notices that are over, since long ago or in a clock's wrong future, are no longer kept.
DELETE FROM notice
WHERE number IN (
    SELECT number FROM notice WHERE state = :state AND done < :before
    UNION ALL
    SELECT number FROM notice WHERE state = :state AND done > :beyond
    LIMIT :limit
);
