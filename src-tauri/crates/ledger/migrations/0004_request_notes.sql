-- What of the request did not go out to the target as the client said it: a JSON list of short
-- texts, parameters by their names and schemas' keywords with their places.
ALTER TABLE attempt_details ADD COLUMN notes_json TEXT;
