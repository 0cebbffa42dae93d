-- Months that were archived and read back. `manifest_sha256` is the hash that their manifest carries.
CREATE TABLE archived_month (
  month TEXT COLLATE "C" PRIMARY KEY,
  archived_at BIGINT NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  results BIGINT NOT NULL,
  schools BIGINT NOT NULL
);
