-- The first schema. Times are integer milliseconds since the Unix epoch (UTC), costs integer
-- pico-dollars; NULL means unknown and is never the same as 0. Forward only: a change is a new file.

-- "SgBx": tells our file from another program's.
PRAGMA application_id = 1399276152;

-- What the ledger remembers about itself (`clean_close`).
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row per request, narrow because sums and lists scan it; long texts live in request_details.
CREATE TABLE requests (
    seq                    INTEGER PRIMARY KEY,
    id                     TEXT    NOT NULL UNIQUE,
    started_at             INTEGER NOT NULL,
    settled_at             INTEGER,
    outcome                TEXT    NOT NULL,
    client                 TEXT,
    dialect                TEXT    NOT NULL,
    route                  TEXT,
    request_model          TEXT    NOT NULL,
    is_stream              INTEGER NOT NULL,
    chat_id                TEXT,
    message_id             TEXT,
    -- The target that answered, or the last one that was tried.
    provider               TEXT,
    model                  TEXT,
    response_model         TEXT,
    http_status            INTEGER,
    error_kind             TEXT,
    finish_reason          TEXT,
    finish_reason_raw      TEXT,
    -- NULL where no usage is known.
    input_tokens           INTEGER,
    cache_read_tokens      INTEGER,
    cache_write_tokens     INTEGER,
    output_tokens          INTEGER,
    reasoning_tokens       INTEGER,
    web_searches           INTEGER,
    cost_picousd           INTEGER,
    cost_status            TEXT    NOT NULL DEFAULT 'unknown',
    reported_cost_picousd  INTEGER,
    price_version          TEXT,
    duration_ms            INTEGER,
    time_to_first_token_ms INTEGER
);
-- Lists and exports walk this one by key; spend reads a range of it.
CREATE INDEX requests_started ON requests (started_at, id);
CREATE INDEX requests_running ON requests (seq) WHERE outcome = 'running';

CREATE TABLE request_details (
    seq                INTEGER PRIMARY KEY REFERENCES requests (seq) ON DELETE CASCADE,
    error_message      TEXT,
    usage_json         TEXT,
    cost_lines_json    TEXT,
    system_fingerprint TEXT
);

CREATE TABLE attempts (
    seq                    INTEGER PRIMARY KEY,
    id                     TEXT    NOT NULL UNIQUE,
    request_id             TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    -- 0 for the first.
    ordinal                INTEGER NOT NULL,
    provider               TEXT    NOT NULL,
    model                  TEXT    NOT NULL,
    started_at             INTEGER NOT NULL,
    outcome                TEXT    NOT NULL,
    error_kind             TEXT,
    error_origin           TEXT,
    http_status            INTEGER,
    reason                 TEXT,
    error_message          TEXT,
    duration_ms            INTEGER,
    time_to_first_token_ms INTEGER,
    input_tokens           INTEGER,
    cache_read_tokens      INTEGER,
    cache_write_tokens     INTEGER,
    output_tokens          INTEGER,
    reasoning_tokens       INTEGER,
    web_searches           INTEGER,
    usage_json             TEXT,
    cost_picousd           INTEGER,
    cost_status            TEXT    NOT NULL DEFAULT 'unknown',
    provider_request_id    TEXT,
    UNIQUE (request_id, ordinal)
);
CREATE INDEX attempts_started ON attempts (started_at);
CREATE INDEX attempts_running ON attempts (seq) WHERE outcome = 'running';
-- Attempts that cost money without giving the answer: few, and spend moves them to their own provider.
CREATE INDEX attempts_charged ON attempts (started_at) WHERE outcome <> 'ok' AND cost_picousd > 0;

-- Keys that our port accepts. Only the SHA-256 of a key is here.
CREATE TABLE clients (
    id           TEXT PRIMARY KEY,
    name         TEXT    NOT NULL,
    key_hash     TEXT    NOT NULL UNIQUE,
    key_hint     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER,
    revoked_at   INTEGER
) WITHOUT ROWID;
-- A revoked client keeps its row, for old requests speak of it, and gives its name free.
CREATE UNIQUE INDEX clients_name ON clients (name) WHERE revoked_at IS NULL;

CREATE TABLE chats (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    title      TEXT    NOT NULL,
    draft      TEXT    NOT NULL DEFAULT '',
    model      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX chats_updated ON chats (updated_at, id);

-- A tree: `parent_id` is NULL for a chat's first message, and siblings are versions.
CREATE TABLE messages (
    seq              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    chat_id          TEXT    NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent_id        TEXT,
    role             TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    text             TEXT    NOT NULL DEFAULT '',
    reasoning        TEXT    NOT NULL DEFAULT '',
    tool_calls_json  TEXT,
    attachments_json TEXT,
    model            TEXT,
    error_kind       TEXT,
    error_message    TEXT,
    request_id       TEXT,
    created_at       INTEGER NOT NULL,
    ended_at         INTEGER
);
CREATE INDEX messages_chat ON messages (chat_id, seq);
CREATE INDEX messages_streaming ON messages (chat_id) WHERE state = 'streaming';

-- Search finds any run of three characters, which serves languages without spaces as well. The
-- texts stay in their own tables; the triggers keep the index equal to them. A message enters the
-- index when it stops streaming, so that saving a growing answer each second costs no indexing.
CREATE VIRTUAL TABLE chat_search USING fts5 (
    title, content = 'chats', content_rowid = 'seq', tokenize = 'trigram remove_diacritics 1'
);
CREATE TRIGGER chats_inserted AFTER INSERT ON chats BEGIN
    INSERT INTO chat_search (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER chats_retitled AFTER UPDATE OF title ON chats BEGIN
    INSERT INTO chat_search (chat_search, rowid, title) VALUES ('delete', old.seq, old.title);
    INSERT INTO chat_search (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER chats_deleted AFTER DELETE ON chats BEGIN
    INSERT INTO chat_search (chat_search, rowid, title) VALUES ('delete', old.seq, old.title);
END;

CREATE VIRTUAL TABLE message_search USING fts5 (
    text, content = 'messages', content_rowid = 'seq', tokenize = 'trigram remove_diacritics 1'
);
CREATE TRIGGER messages_inserted AFTER INSERT ON messages WHEN new.state <> 'streaming' BEGIN
    INSERT INTO message_search (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER messages_finished AFTER UPDATE OF state ON messages
WHEN old.state = 'streaming' AND new.state <> 'streaming' BEGIN
    INSERT INTO message_search (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER messages_rewritten AFTER UPDATE OF text ON messages
WHEN old.state <> 'streaming' AND new.state <> 'streaming' AND old.text IS NOT new.text BEGIN
    INSERT INTO message_search (message_search, rowid, text) VALUES ('delete', old.seq, old.text);
    INSERT INTO message_search (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER messages_reopened AFTER UPDATE OF state ON messages
WHEN old.state <> 'streaming' AND new.state = 'streaming' BEGIN
    INSERT INTO message_search (message_search, rowid, text) VALUES ('delete', old.seq, old.text);
END;
CREATE TRIGGER messages_deleted AFTER DELETE ON messages WHEN old.state <> 'streaming' BEGIN
    INSERT INTO message_search (message_search, rowid, text) VALUES ('delete', old.seq, old.text);
END;
