-- What is made up for one after the other: a stretch of instants, not a row for each.

-- A job's instants from next to last that are still to run, and how many they are. Those up to
-- missed are made up for, what comes in time waits for those up to late. They are of this schedule
-- in this zone.
CREATE TABLE backlog (
    job      TEXT    NOT NULL PRIMARY KEY,
    schedule TEXT    NOT NULL,
    zone     TEXT    NOT NULL,
    next     INTEGER NOT NULL CHECK (typeof(next) = 'integer'),
    last     INTEGER NOT NULL CHECK (typeof(last) = 'integer' AND last >= next),
    remain   INTEGER NOT NULL CHECK (remain >= 1),
    missed   INTEGER,
    late     INTEGER
) WITHOUT ROWID;
