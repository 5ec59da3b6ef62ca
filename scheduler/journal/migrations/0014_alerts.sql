-- What somebody is to hear, and what they have heard of each job.

-- A notice is written in the commit of what it tells of. Its body is the whole notice as JSON. Once
-- it was sent it belongs to a delivery, which has the number of its first notice, and goes again as
-- a whole. Due is when it is sent, or tried again; done is when it was sent, or given up. One that
-- is repeated may have been sent before.
CREATE TABLE notice (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    target   TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
    due      REAL    NOT NULL,
    delivery INTEGER,
    tries    INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    repeated INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1)),
    error    TEXT    NOT NULL DEFAULT '',
    done     REAL,
    seal     INTEGER,
    CHECK ((done IS NULL) = (state IN ('waiting', 'sending')))
);

-- Those that are still to be sent, by whom they are for: when, and in which order. Those that are
-- over, by their time.
CREATE INDEX notice_due ON notice (target, due) WHERE state = 'waiting';
CREATE INDEX notice_waiting ON notice (target, delivery, number) WHERE state = 'waiting';
CREATE INDEX notice_sending ON notice (delivery) WHERE state = 'sending';
CREATE INDEX notice_done ON notice (state, done) WHERE done IS NOT NULL;

-- What was told of a job, as the policy of alerts writes it; no row where there is nothing to know.
CREATE TABLE alert_state (
    job   TEXT    NOT NULL PRIMARY KEY,
    state TEXT    NOT NULL,
    seal  INTEGER
) WITHOUT ROWID;
