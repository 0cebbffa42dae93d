-- One-time codes by which a gateway gets its token; only their hash is kept.
CREATE TABLE enroll_code (
  hash BLOB PRIMARY KEY,
  school TEXT NOT NULL,
  town TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) WITHOUT ROWID;
CREATE INDEX enroll_code_by_school ON enroll_code (school);
