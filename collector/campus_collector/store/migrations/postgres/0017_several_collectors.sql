-- What several collectors on one database share. Moments are microseconds since 1970, by the database's clock.

-- Whose turn on the uplink's test server it is, and will be.
CREATE TABLE slot (
  school TEXT COLLATE "C" PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL,
  bits_per_second BIGINT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
);

-- Attempts with a code or a password that failed, or are being checked, by group of addresses.
CREATE TABLE attempt (
  id TEXT COLLATE "C" PRIMARY KEY,
  kind TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX attempt_by_moment ON attempt (kind, at);
CREATE INDEX attempt_by_address ON attempt (kind, address, at);

-- Inventories that were uploaded and wait for their person to put them in force.
CREATE TABLE upload (
  key TEXT COLLATE "C" PRIMARY KEY,
  person TEXT COLLATE "C" NOT NULL,
  uploaded_at BIGINT NOT NULL,
  before_version BIGINT NOT NULL,
  body BYTEA NOT NULL
);

-- Keys that all collectors on a server share, such as that of the signatures of sessions. Beside a database that is a file, keys are files.
CREATE TABLE shared_key (
  name TEXT COLLATE "C" PRIMARY KEY,
  value BYTEA NOT NULL
);
