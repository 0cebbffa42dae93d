-- What ingest counts is kept by school; '' is what is no school's, and what was counted before.
CREATE TABLE total_by_school (
  school TEXT NOT NULL DEFAULT '',
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (school, name, label)
) WITHOUT ROWID;
INSERT INTO total_by_school (name, label, value) SELECT name, label, value FROM total;
DROP TABLE total;
ALTER TABLE total_by_school RENAME TO total;
CREATE INDEX total_by_name ON total (name);
