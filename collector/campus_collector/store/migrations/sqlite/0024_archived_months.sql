-- Months that were archived and read back. `manifest_sha256` is the hash that their manifest carries.
CREATE TABLE archived_month (
  month TEXT PRIMARY KEY,
  archived_at INTEGER NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  results INTEGER NOT NULL,
  schools INTEGER NOT NULL
) WITHOUT ROWID;
