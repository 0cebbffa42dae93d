-- What several collectors on one database share. Moments are microseconds since 1970, by the database's clock.

-- Whose turn on the uplink's test server it is, and will be.
CREATE TABLE slot (
  school TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  bits_per_second INTEGER NOT NULL,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Attempts with a code or a password that failed, or are being checked, by group of addresses.
CREATE TABLE attempt (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  address TEXT NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX attempt_by_moment ON attempt (kind, at);
CREATE INDEX attempt_by_address ON attempt (kind, address, at);

-- Inventories that were uploaded and wait for their person to put them in force.
CREATE TABLE upload (
  key TEXT PRIMARY KEY,
  person TEXT NOT NULL,
  uploaded_at INTEGER NOT NULL,
  before_version INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;

-- Keys that all collectors on a server share, such as that of the signatures of sessions. Beside a database that is a file, keys are files.
CREATE TABLE shared_key (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
