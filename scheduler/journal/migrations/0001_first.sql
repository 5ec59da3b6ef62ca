-- The journal as it first was: what ran, and what the daemon remembers across restarts.
-- Instants are whole Unix seconds; due, started and ended carry fractions.

-- One entry at one scheduled instant, or a stretch of instants (up to until) that did not run.
CREATE TABLE run (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, not even after a deletion
    job     TEXT    NOT NULL,
    instant INTEGER NOT NULL CHECK (typeof(instant) = 'integer'),
    zone    TEXT    NOT NULL,
    state   TEXT    NOT NULL
            CHECK (state IN ('scheduled', 'running', 'succeeded', 'failed', 'skipped')),
    reason  TEXT    CHECK (reason IS NOT NULL OR state <> 'skipped'),
    until   INTEGER CHECK (until IS NULL OR (state = 'skipped' AND until >= instant)),
    due     REAL    CHECK (due IS NULL OR state = 'scheduled'),
    UNIQUE (instant, job)  -- in this order a minute's claims lie side by side
);

-- A job's runs, filed in two halves: while a run is open it is in a short index, so that claiming
-- costs the same however long the table has grown, and it moves to the long one when it is over.
CREATE INDEX run_open ON run (job, instant)
    WHERE state IN ('scheduled', 'running');
CREATE INDEX run_over ON run (job, instant)
    WHERE state IN ('succeeded', 'failed', 'skipped');

-- One process of a run; started is null until there was one, ended until its end was seen.
CREATE TABLE attempt (
    run          INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    started      REAL,
    ended        REAL,
    outcome      TEXT    CHECK ((outcome IS NULL) = (ended IS NULL)),
    cpu_s        REAL,
    memory_bytes INTEGER,
    pid          INTEGER CHECK ((pid IS NULL) = (started IS NULL)),
    pid_started  INTEGER,
    output       TEXT    NOT NULL,
    PRIMARY KEY (run, attempt)
) WITHOUT ROWID;

-- A run beside each of its attempts, or alone when it has none.
CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.zone, run.state, run.reason, run.until, run.due,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output
FROM run LEFT JOIN attempt ON attempt.run = run.number;

-- The last minute handled: one row.
CREATE TABLE tick (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    minute INTEGER NOT NULL CHECK (typeof(minute) = 'integer')
);

-- From where an @every job counts, and the interval that this holds for.
CREATE TABLE anchor (
    job              TEXT    NOT NULL PRIMARY KEY,
    interval_minutes INTEGER NOT NULL,
    instant          INTEGER NOT NULL CHECK (typeof(instant) = 'integer')
) WITHOUT ROWID;

-- The boot of the machine that an @reboot job last ran for.
CREATE TABLE boot (
    job     TEXT NOT NULL PRIMARY KEY,
    boot_id TEXT NOT NULL
) WITHOUT ROWID;
