-- People may have a token, a password, an identity at an OpenID provider, or several; each change of any of them ends their sessions.
CREATE TABLE person_new (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  town TEXT NOT NULL DEFAULT '',
  token_hash BLOB UNIQUE,
  password TEXT,
  identity TEXT UNIQUE,
  generation INTEGER NOT NULL DEFAULT 1,
  failures INTEGER NOT NULL DEFAULT 0,
  locked_until INTEGER,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;
INSERT INTO person_new (name, role, town, token_hash, created_at, revoked_at)
  SELECT name, role, town, token_hash, created_at, revoked_at FROM person;
DROP TABLE person;
ALTER TABLE person_new RENAME TO person;
