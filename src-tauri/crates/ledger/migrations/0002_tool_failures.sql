-- What was checked of an answer, and what failed. Counters stand on the attempt, so that health
-- reads them with everything else; a failure's whole context has a row of its own.

ALTER TABLE attempts ADD COLUMN checked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN check_failures INTEGER NOT NULL DEFAULT 0;
-- Of the failures, those that were mended.
ALTER TABLE attempts ADD COLUMN check_repairs INTEGER NOT NULL DEFAULT 0;
-- NULL where the answer did not come to its end.
ALTER TABLE attempts ADD COLUMN finish_reason TEXT;

-- `arguments` and `schema_json` are content, cut to some KiB: the user's own book, never a log.
CREATE TABLE tool_failures (
    seq         INTEGER PRIMARY KEY,
    request_id  TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    -- Of the attempt; 0 for the first.
    ordinal     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    provider    TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    -- NULL where the answer's text was checked, against the request's response format.
    tool        TEXT,
    kind        TEXT    NOT NULL,
    path        TEXT,
    message     TEXT    NOT NULL,
    remedy      TEXT    NOT NULL,
    -- The repairs by their names, joined by commas.
    repairs     TEXT,
    arguments   TEXT    NOT NULL,
    schema_json TEXT
);
CREATE INDEX tool_failures_at ON tool_failures (at, seq);
CREATE INDEX tool_failures_request ON tool_failures (request_id);
