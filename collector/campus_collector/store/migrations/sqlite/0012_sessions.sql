-- The ids of a person's sessions that have not been ended, the newest last, with a comma between them; the cookies carry a signature.
ALTER TABLE person ADD COLUMN sessions TEXT NOT NULL DEFAULT '';
