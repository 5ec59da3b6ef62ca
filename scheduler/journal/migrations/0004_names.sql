-- A derived name is the program's and a hash; it held words of the whole command before.

-- Names that may be of the old kind, until an entry of that hash is read.
CREATE TABLE old_name (
    job TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

INSERT INTO old_name
SELECT job FROM (
    SELECT job FROM run UNION SELECT job FROM anchor
    UNION SELECT job FROM boot UNION SELECT job FROM pause
)
WHERE job GLOB '*-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'
OR job GLOB '*-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9]*';
