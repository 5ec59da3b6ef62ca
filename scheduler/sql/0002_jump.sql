-- What the clock and the daemon did beyond going on: a row for each jump that was noticed.

-- Instants are Unix seconds: last is the last minute handled before, noticed the look that saw it.
CREATE TABLE jump (
    number  INTEGER PRIMARY KEY,
    last    INTEGER NOT NULL CHECK (typeof(last) = 'integer'),
    noticed REAL    NOT NULL,
    kind    TEXT    NOT NULL,
    seconds REAL    NOT NULL,  -- its size; below nought for a clock set back
    verdict TEXT    NOT NULL   -- what the daemon made of it
);

-- For the question what happened around an instant.
CREATE INDEX jump_noticed ON jump (noticed);
