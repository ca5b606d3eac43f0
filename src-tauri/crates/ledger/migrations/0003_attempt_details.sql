-- How an attempt's bytes went, and a refusal in the provider's own words; the words apart, because
-- lists and sums never need them.

-- `verbatim` or `translated`; NULL where nobody answered.
ALTER TABLE attempts ADD COLUMN lane TEXT;

CREATE TABLE attempt_details (
    attempt_id TEXT PRIMARY KEY REFERENCES attempts (id) ON DELETE CASCADE,
    error_body TEXT
) WITHOUT ROWID;
