-- The inventory: which schools and subjects there are, since when and until when; exempt ones with the reason.
ALTER TABLE school ADD COLUMN town_seat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE school ADD COLUMN removed_at INTEGER;
ALTER TABLE subject ADD COLUMN added_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subject ADD COLUMN exempt_reason TEXT NOT NULL DEFAULT '';

-- Each import as a whole, as it came: what the inventory was at any time.
CREATE TABLE inventory (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  imported_at INTEGER NOT NULL,
  effective_from INTEGER NOT NULL,
  imported_by TEXT NOT NULL,
  changes TEXT NOT NULL,
  body BLOB NOT NULL
);

-- Evidence: what a subject's results of one day say about one target. Derived; worked out again whenever it is not there.
CREATE TABLE day_evidence (
  school TEXT NOT NULL,
  day INTEGER NOT NULL,
  subject TEXT NOT NULL,
  target TEXT NOT NULL,
  basis TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (school, day, subject, target)
) WITHOUT ROWID;

-- The hours whose results have not been judged yet, or not all of them. `arrivals` grows with each result.
CREATE TABLE unjudged (
  school TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  hour INTEGER NOT NULL,
  arrivals INTEGER NOT NULL,
  PRIMARY KEY (school, subject, kind, hour)
) WITHOUT ROWID;
INSERT INTO unjudged SELECT school, subject, kind, started_at / 3600000000, count(*) FROM result GROUP BY 1, 2, 3, 4;

-- The chain: each result of a school has a place; a day's seal is the head of the chain after the last result that came on it.
ALTER TABLE seen ADD COLUMN sequence INTEGER;
CREATE TABLE seal (
  school TEXT NOT NULL,
  day INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  head BLOB NOT NULL,
  PRIMARY KEY (school, day)
) WITHOUT ROWID;

-- The ledger: problems as they are now, and everything that ever happened to them, chained, never changed.
CREATE TABLE problem (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  school TEXT NOT NULL,
  target TEXT NOT NULL,
  subject TEXT NOT NULL,
  state TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX problem_by_school ON problem (school, target, subject);
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  problem INTEGER,
  body BLOB NOT NULL,
  head BLOB NOT NULL
);
CREATE INDEX audit_by_problem ON audit (problem) WHERE problem IS NOT NULL;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER result_is_not_changed BEFORE UPDATE ON result BEGIN SELECT raise(ABORT, 'results are immutable'); END;
CREATE TRIGGER result_is_not_removed BEFORE DELETE ON result BEGIN SELECT raise(ABORT, 'results are immutable'); END;

-- Single values: up to which day the ledger has looked.
CREATE TABLE mark (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;

-- People who may change the ledger, by a token each; only its hash is kept.
CREATE TABLE person (
  name TEXT PRIMARY KEY,
  token_hash BLOB NOT NULL UNIQUE,
  role TEXT NOT NULL,
  town TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;
