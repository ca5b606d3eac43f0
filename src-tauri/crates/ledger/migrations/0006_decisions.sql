-- Why a request went where it went, as the router wrote it down (JSON): apart, because lists and
-- sums never need it. It goes with its request.
CREATE TABLE request_decisions (
    seq           INTEGER PRIMARY KEY REFERENCES requests (seq) ON DELETE CASCADE,
    decision_json TEXT NOT NULL
);

-- `chat` or `embeddings`; NULL where it was not read, or not noted yet.
ALTER TABLE requests ADD COLUMN operation TEXT;

-- A switch is an attempt behind one at another target: few, and the timeline reads them by time.
CREATE INDEX attempts_later ON attempts (started_at) WHERE ordinal > 0;
