CREATE TABLE school (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  town TEXT NOT NULL,
  town_name TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('announced', 'inventory'))
) WITHOUT ROWID;

CREATE TABLE subject (
  school TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('classroom', 'uplink', 'service')),
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  required_bits_per_second REAL,
  source TEXT NOT NULL CHECK (source IN ('announced', 'inventory')),
  removed_at INTEGER,
  PRIMARY KEY (school, kind, id)
) WITHOUT ROWID;

CREATE TABLE token (
  hash BLOB PRIMARY KEY,
  school TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;
CREATE INDEX token_by_school ON token (school);

CREATE TABLE agent (
  school TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  last_report_at INTEGER,
  boot_id TEXT NOT NULL,
  state BLOB,
  PRIMARY KEY (school, agent_id)
) WITHOUT ROWID;

-- Clustered by what the judge reads: one subject's results of a month are neighbours on disk.
CREATE TABLE result (
  school TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  raw BLOB NOT NULL,
  PRIMARY KEY (school, subject, kind, started_at, id)
) WITHOUT ROWID;

-- An id is stored once however often it arrives, also with a corrected time.
CREATE TABLE seen (
  school TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (school, id)
) WITHOUT ROWID;

CREATE TABLE latest (
  school TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  any_started_at INTEGER NOT NULL,
  any_raw BLOB NOT NULL,
  ok_started_at INTEGER,
  ok_raw BLOB,
  PRIMARY KEY (school, subject, kind)
) WITHOUT ROWID;

CREATE TABLE quarantine (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  school TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  id TEXT,
  reason TEXT NOT NULL,
  raw BLOB NOT NULL
);
CREATE INDEX quarantine_by_school ON quarantine (school, sequence);

CREATE TABLE total (
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (name, label)
) WITHOUT ROWID;
