-- Upward reporting: months that go up, and months that have come from below.

-- Where this collector is enrolled; one row, whose name is 'upstream'.
CREATE TABLE upstream (
  name TEXT PRIMARY KEY,
  member TEXT NOT NULL,
  url TEXT NOT NULL,
  enrolled_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What goes up, stored before it is sent. `county` is '' of this collector's own months, else whose month a prefecture hands on. `position` is the
-- order in which they were made. Only how far one has come may change.
CREATE TABLE outgoing_month (
  county TEXT NOT NULL,
  series INTEGER NOT NULL,
  month TEXT NOT NULL,
  number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  envelope BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempted_at INTEGER,
  answer BLOB,
  acknowledged_at INTEGER,
  PRIMARY KEY (county, series, month, number)
);
CREATE INDEX outgoing_month_waiting ON outgoing_month (position) WHERE acknowledged_at IS NULL;
CREATE TRIGGER outgoing_month_is_not_changed BEFORE UPDATE OF county, series, month, number, position, made_at, sha256, envelope ON outgoing_month
  BEGIN SELECT raise(ABORT, 'a month that goes up is not changed'); END;
CREATE TRIGGER outgoing_month_is_not_removed BEFORE DELETE ON outgoing_month BEGIN SELECT raise(ABORT, 'a month that goes up is not removed'); END;

-- Who may hand in months here, and the codes by which they get their token.
CREATE TABLE area_code (
  hash BLOB PRIMARY KEY,
  member TEXT NOT NULL,
  name TEXT NOT NULL,
  level TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) WITHOUT ROWID;
CREATE TABLE area_member (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  level TEXT NOT NULL,
  token_hash BLOB NOT NULL UNIQUE,
  public_key BLOB NOT NULL,
  series INTEGER NOT NULL,
  enrolled_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;

-- What has come from below, as it was signed. Only added to.
CREATE TABLE area_month (
  sender TEXT NOT NULL,
  county TEXT NOT NULL,
  series INTEGER NOT NULL,
  month TEXT NOT NULL,
  number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  public_key BLOB NOT NULL,
  envelope BLOB NOT NULL,
  summary BLOB NOT NULL,
  PRIMARY KEY (sender, county, series, month, number)
);
CREATE TRIGGER area_month_is_not_changed BEFORE UPDATE ON area_month BEGIN SELECT raise(ABORT, 'a month from below is not changed'); END;
CREATE TRIGGER area_month_is_not_removed BEFORE DELETE ON area_month BEGIN SELECT raise(ABORT, 'a month from below is not removed'); END;
