-- What the file itself is asked and told: transactions, commits, its version, its log.

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

-- name: checkpoint
-- What is in the log is written to the database itself, too: blocked, pages in the log, done.
PRAGMA wal_checkpoint(PASSIVE);

-- name: page_size
-- In bytes; with it the log's length in pages is one in bytes.
PRAGMA page_size;

-- name: begin_part
-- What comes can be taken back without what was before.
SAVEPOINT part;

-- name: undo_part
-- It is taken back.
ROLLBACK TO part;

-- name: end_part
-- It belongs to the whole from here on.
RELEASE part;

-- name: commit
-- On disk when it returns.
COMMIT;

-- name: rollback
-- As if the transaction had never been.
ROLLBACK;

-- name: version
-- The number of the last migration applied, 0 for an empty database.
PRAGMA user_version;

-- name: schema
-- How its tables and their kind were made.
SELECT name, sql FROM sqlite_schema ORDER BY name;

-- name: numbers_given
-- The last number that a run was given; no row where none ever was.
SELECT seq FROM sqlite_sequence WHERE name = 'run';
