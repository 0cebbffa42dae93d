-- A token that takes another's place: the other is revoked when this one is first used, so that a lost answer locks nobody out.
ALTER TABLE token ADD COLUMN replaces BLOB;
