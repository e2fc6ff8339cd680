-- The current schema; how it changes is in README.md.
--
-- No foreign keys: every row is written by this package, which keeps references right, and checking them
-- again would cost each append a lookup.
--
-- Tables with small rows that are only ever found by their key are WITHOUT ROWID: one B-tree instead of two.

-- Single values: who this node is, cursors, counters.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Logs, own and mirrored. num stands for the log id elsewhere: an id has 40 to 70 bytes.
-- checkpoint is the newest signed checkpoint and size the number of entries that it covers; NULL and 0 until
-- there is one. While a mirror is catching up more entries are held than it covers.
CREATE TABLE logs (
    num        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    member     TEXT NOT NULL DEFAULT '',
    size       INTEGER NOT NULL DEFAULT 0,
    checkpoint BLOB
);

-- Entries as they were published. place = num * 2^40 + index: as the rowid itself it keeps a log's entries
-- together in order without a second index, a fifth cheaper than a key of two columns.
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    data  BLOB NOT NULL
);

-- Tiles of hashes (C2SP tlog-tiles). A partial tile is the same row, replaced as it grows; narrower ones are
-- its prefixes.
CREATE TABLE tiles (
    log    INTEGER NOT NULL,
    level  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log, level, n)
) WITHOUT ROWID;

-- Epoch keys of others' logs, sealed under the node key by the caller.
CREATE TABLE epoch_keys (
    log      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    audience TEXT NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (log, epoch)
) WITHOUT ROWID;

-- Epochs that this node opened. seq tells the newest: an epoch number says nothing across incarnations,
-- a clock may step back. readers is a JSON array of member ids.
CREATE TABLE own_epochs (
    seq            INTEGER PRIMARY KEY,
    log            INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    audience       TEXT NOT NULL,
    roster_version INTEGER NOT NULL,
    readers        TEXT NOT NULL,
    opened         INTEGER NOT NULL,
    sealed         BLOB NOT NULL,
    UNIQUE (log, epoch)
);
CREATE INDEX own_epochs_audience ON own_epochs (audience, seq);

-- Epoch-open entries seen in logs being followed, so that wraps that come later can be tried.
CREATE TABLE epoch_entries (
    log   INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    entry BLOB NOT NULL,
    PRIMARY KEY (log, epoch)
) WITHOUT ROWID;

-- Shelves: each (marking, audience) once, so that a way out asks policy once a shelf and not once an object.
CREATE TABLE shelves (
    id       INTEGER PRIMARY KEY,
    tlp      INTEGER NOT NULL,
    audience TEXT NOT NULL,
    copies   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tlp, audience)
);

-- Copies per publisher, counted as they come: counting a million rows for a status page takes too long.
CREATE TABLE publishers (
    publisher TEXT PRIMARY KEY,
    copies    INTEGER NOT NULL
) WITHOUT ROWID;

-- Objects as each member published them, every version. live marks the one copy of a (publisher, id) that
-- counts: its newest that is not withdrawn, unless that one is revoked. It is kept here because matcher,
-- lists and pages all start from it. There is no index of live copies: most are, and each index costs an
-- import a tenth. Rows are never deleted: cursors are made of seq, which must not come twice, and
-- AUTOINCREMENT would cost an import a fifth.
-- standing is a copy's place on its shelf (object.Standing), kept here so that a page of a shelf looks nothing
-- else up. admitted is unique and rises with seq. Both stand before raw, which may be long.
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
CREATE INDEX copies_key ON copies (id, publisher, modified);  -- its last column by nature: seq
CREATE INDEX copies_publisher ON copies (publisher, seq);
CREATE INDEX copies_type ON copies (type, seq);
CREATE INDEX copies_shelf ON copies (shelf, standing, admitted);
CREATE INDEX copies_shelf_type ON copies (shelf, type, standing, admitted);

-- Withdrawals, remembered: a blob may arrive after the withdrawal of what it carries.
CREATE TABLE withdrawals (
    publisher TEXT NOT NULL,
    id        TEXT NOT NULL,
    log       INTEGER NOT NULL,
    idx       INTEGER NOT NULL,
    PRIMARY KEY (publisher, id, log)
) WITHOUT ROWID;

-- Blobs by the hash of their ciphertext. With a rowid: they are large, and a B-tree without one would carry
-- them in its inner pages.
CREATE TABLE blobs (
    hash BLOB NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
);

-- Entries whose blob is still to be fetched.
CREATE TABLE pending (
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (log, idx)
) WITHOUT ROWID;

-- Membership, as signed notes. Rosters are kept whole: the chain from version 1 is the proof.
CREATE TABLE rosters (
    version INTEGER PRIMARY KEY,
    hash    TEXT NOT NULL,
    note    BLOB NOT NULL
);

-- Only the newest card counts; its sequence is kept for ever, so that an older card never returns.
CREATE TABLE cards (
    member   TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    note     BLOB NOT NULL
) WITHOUT ROWID;

-- Invites by the hash of their secret. card is the hash of the card that first used it: a joiner that crashed
-- may retry, nobody else may use it.
CREATE TABLE invites (
    hash    BLOB PRIMARY KEY,
    name    TEXT NOT NULL,
    groups  TEXT NOT NULL,  -- JSON array
    expires INTEGER NOT NULL,
    card    BLOB,
    used    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Own entries that protect others, and when which follower acted on them.
CREATE TABLE publications (
    log      INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    readers  INTEGER NOT NULL,
    audience TEXT NOT NULL,
    what     TEXT NOT NULL,
    PRIMARY KEY (log, idx)
) WITHOUT ROWID;

CREATE TABLE protects (
    log      INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    follower TEXT NOT NULL,
    took     INTEGER NOT NULL,  -- microseconds
    PRIMARY KEY (log, idx, follower)
) WITHOUT ROWID;

-- Followers' signed watermarks: they act on every entry below size.
CREATE TABLE applied (
    log      INTEGER NOT NULL,
    follower TEXT NOT NULL,
    size     INTEGER NOT NULL,
    PRIMARY KEY (log, follower)
) WITHOUT ROWID;

-- Detections of shared objects, summed up until the next tick sends them as sightings.
CREATE TABLE tally (
    publisher  TEXT NOT NULL,
    id         TEXT NOT NULL,
    n          INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    PRIMARY KEY (publisher, id)
) WITHOUT ROWID;

-- Access tokens: only their hashes, so that a stolen database opens nothing. reader is what sort of reader holds
-- one; empty where it reads nothing.
CREATE TABLE tokens (
    hash    BLOB PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    scope   TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    reader  TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- What became of postings, for their holders to ask for during a day.
CREATE TABLE postings (
    id     TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    at     INTEGER NOT NULL,
    body   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX postings_at ON postings (at);

-- How far followed files were read; ident tells a rotated file from the one before.
CREATE TABLE offsets (
    path  TEXT PRIMARY KEY,
    ident TEXT NOT NULL,
    pos   INTEGER NOT NULL
) WITHOUT ROWID;

-- What objects are found by: words by where they stand, and keys, the whole values of all else (package search says
-- how they are spelled; a key has a = in it, which no word has). Its rowid is a copy's seq; the meta value "search"
-- says how far it is. It keeps no texts, only where they are, and nothing is ever taken out of it: what a copy is
-- now is read from the copy. Words come as package query spells them: the tokenizer only splits them.
CREATE VIRTUAL TABLE search USING fts5 (
    name, text, pattern, keys,
    content = '', columnsize = 0, tokenize = "ascii tokenchars '='"
);
