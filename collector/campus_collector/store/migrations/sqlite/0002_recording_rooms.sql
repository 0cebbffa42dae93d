-- Kinds of subjects are the program's to know: a list in the schema would need a migration for each new target.
CREATE TABLE subject_new (
  school TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  required_bits_per_second REAL,
  source TEXT NOT NULL CHECK (source IN ('announced', 'inventory')),
  removed_at INTEGER,
  PRIMARY KEY (school, kind, id)
) WITHOUT ROWID;
INSERT INTO subject_new SELECT school, kind, id, name, required_bits_per_second, source, removed_at FROM subject;
DROP TABLE subject;
ALTER TABLE subject_new RENAME TO subject;
