-- How far the journal has come, which is told in a file beside it, too.

-- The commits that are on disk, by number: one row. Who finds fewer than that file tells of has an
-- older journal than the one that was written.
CREATE TABLE high_water (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    commits INTEGER NOT NULL CHECK (typeof(commits) = 'integer')
);
INSERT INTO high_water (one, commits) VALUES (1, 1);
