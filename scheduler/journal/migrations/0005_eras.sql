-- Eras of the clock, since an instant may come again; and how long each attempt took.

-- The clock was set back so that time came again: from its first minute (since) on, instants that
-- had been handled by the minute last are still to come. Era 0, the first, has no row.
CREATE TABLE era (
    number  INTEGER PRIMARY KEY CHECK (number >= 1),
    since   INTEGER NOT NULL CHECK (typeof(since) = 'integer'),
    last    INTEGER NOT NULL CHECK (typeof(last) = 'integer'),
    noticed REAL    NOT NULL
);

-- In which era a jump was noticed.
ALTER TABLE jump ADD COLUMN era INTEGER NOT NULL DEFAULT 0;

-- Seconds from its start to its end by a clock that nobody sets; null where nobody can tell.
ALTER TABLE attempt ADD COLUMN took REAL CHECK (took >= 0);
UPDATE attempt SET took = max(0, ended - started)
WHERE started IS NOT NULL AND ended IS NOT NULL AND outcome <> 'lost';

-- The table of runs once more, since a key can't be changed: it is the era's, too.
DROP VIEW record;
CREATE TABLE run_in_era (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    job      TEXT    NOT NULL,
    instant  INTEGER NOT NULL CHECK (typeof(instant) = 'integer'),
    era      INTEGER NOT NULL DEFAULT 0 CHECK (era >= 0),
    zone     TEXT    NOT NULL,
    state    TEXT    NOT NULL
             CHECK (state IN ('scheduled', 'running', 'succeeded', 'failed', 'skipped')),
    reason   TEXT    CHECK (reason IS NOT NULL OR state <> 'skipped'),
    until    INTEGER CHECK (until IS NULL OR (state = 'skipped' AND until >= instant)),
    due      REAL    CHECK (due IS NULL OR state = 'scheduled'),
    made_up  INTEGER NOT NULL DEFAULT 0 CHECK (made_up IN (0, 1)),
    by_hand  INTEGER NOT NULL DEFAULT 0 CHECK (by_hand IN (0, 1)),
    reopened REAL,
    UNIQUE (era, instant, job)  -- in this order a minute's claims lie side by side
);
INSERT INTO run_in_era (
    number, job, instant, zone, state, reason, until, due, made_up, by_hand, reopened
)
SELECT number, job, instant, zone, state, reason, until, due, made_up, by_hand, reopened FROM run
ORDER BY number;
DELETE FROM sqlite_sequence WHERE name = 'run_in_era';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'run_in_era', seq FROM sqlite_sequence WHERE name = 'run';
DROP TABLE run;
ALTER TABLE run_in_era RENAME TO run;

CREATE INDEX run_open ON run (job, era, instant)
    WHERE state IN ('scheduled', 'running');
CREATE INDEX run_over ON run (job, era, instant, state)
    WHERE state IN ('succeeded', 'failed', 'skipped');
CREATE INDEX run_stretch ON run (until) WHERE until IS NOT NULL;

CREATE VIEW record AS
SELECT run.number, run.job, run.instant, run.era, run.zone, run.state, run.reason, run.until,
       run.due, run.made_up, run.by_hand, run.reopened,
       attempt.attempt, attempt.started, attempt.ended, attempt.outcome,
       attempt.cpu_s, attempt.memory_bytes, attempt.pid, attempt.pid_started, attempt.output,
       attempt.limited, attempt.took
FROM run LEFT JOIN attempt ON attempt.run = run.number;
