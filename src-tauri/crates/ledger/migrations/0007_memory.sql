-- What others ask the ledger to keep over a restart (the router's pauses and quotas), by name.
CREATE TABLE memory (
    key        TEXT PRIMARY KEY,
    value      TEXT    NOT NULL,
    written_at INTEGER NOT NULL
) WITHOUT ROWID;
