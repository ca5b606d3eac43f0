-- Pieces of an attempt's stream that were passed over: of no known kind, or no sense.
ALTER TABLE attempts ADD COLUMN unknown_frames INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN malformed_frames INTEGER NOT NULL DEFAULT 0;
