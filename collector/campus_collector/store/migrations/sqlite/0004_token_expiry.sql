-- A token may have an end; NULL has none.
ALTER TABLE token ADD COLUMN expires_at INTEGER;
