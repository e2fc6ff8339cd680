-- Shelves can be paged: each copy's standing on its shelf, and a time of admission that is its own. Tokens say
-- what sort of reader holds them. The table is made anew, because a column added behind raw would be read through it.
DROP INDEX copies_key;
DROP INDEX copies_publisher;
DROP INDEX copies_type;
ALTER TABLE copies RENAME TO copies_1;

CREATE TABLE copies (
    seq       INTEGER PRIMARY KEY,
    publisher TEXT NOT NULL,
    id        TEXT NOT NULL,
    type      TEXT NOT NULL,
    modified  TEXT NOT NULL,
    shelf     INTEGER NOT NULL,
    standing  INTEGER NOT NULL,
    log       INTEGER NOT NULL,  -- 0 = never shared
    idx       INTEGER NOT NULL,
    revoked   INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL,
    live      INTEGER NOT NULL,
    own       INTEGER NOT NULL,  -- its publisher is its creator
    admitted  INTEGER NOT NULL,
    raw       BLOB NOT NULL
);

-- Times of admission rise by at least a microsecond from copy to copy, and are as late as they were or later. Whose
-- copy is its creator's own was not kept: the one admitted first, which it nearly always is, stands for it.
INSERT INTO copies (seq, publisher, id, type, modified, shelf, standing, log, idx, revoked, withdrawn, live, own, admitted, raw)
SELECT seq, publisher, id, type, modified, shelf, CASE withdrawn WHEN 1 THEN 0 ELSE 1 END, log, idx, revoked, withdrawn, live, 0,
    max(admitted - seq) OVER (ORDER BY seq) + seq, raw
FROM copies_1 ORDER BY seq;
DROP TABLE copies_1;

CREATE INDEX copies_key ON copies (id, publisher, modified);  -- its last column by nature: seq
CREATE INDEX copies_publisher ON copies (publisher, seq);
CREATE INDEX copies_type ON copies (type, seq);
CREATE INDEX copies_shelf ON copies (shelf, standing, admitted);
CREATE INDEX copies_shelf_type ON copies (shelf, type, standing, admitted);

-- Who shares an id with others is not alone; of one publisher's versions on one shelf the last is the newest.
UPDATE copies SET standing = 2 WHERE standing = 1 AND EXISTS (
    SELECT 1 FROM copies o WHERE o.id = copies.id AND o.seq <> copies.seq AND o.withdrawn = 0);
UPDATE copies SET standing = 3 WHERE standing = 2 AND EXISTS (
    SELECT 1 FROM copies o WHERE o.id = copies.id AND o.publisher = copies.publisher AND o.shelf = copies.shelf AND o.withdrawn = 0
        AND (o.modified, o.seq) > (copies.modified, copies.seq));

ALTER TABLE tokens ADD COLUMN reader TEXT NOT NULL DEFAULT '';

CREATE TABLE postings (
    id     TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX postings_at ON postings (at);
