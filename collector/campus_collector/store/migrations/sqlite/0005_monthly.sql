-- Months that were closed: their figures, what was published of each subject, and every document as it was issued. Nothing is overwritten.
CREATE TABLE monthly (
  month TEXT PRIMARY KEY,
  closed_at INTEGER NOT NULL,
  hash TEXT NOT NULL,
  program_version TEXT NOT NULL,
  figures BLOB NOT NULL,
  published BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE monthly_document (
  month TEXT NOT NULL,
  form TEXT NOT NULL,
  language TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (month, form, language)
);
CREATE TRIGGER monthly_is_not_changed BEFORE UPDATE ON monthly BEGIN SELECT raise(ABORT, 'a closed month is not changed'); END;
CREATE TRIGGER monthly_is_not_removed BEFORE DELETE ON monthly BEGIN SELECT raise(ABORT, 'a closed month is not removed'); END;
CREATE TRIGGER document_is_not_changed BEFORE UPDATE ON monthly_document BEGIN SELECT raise(ABORT, 'an issued document is not changed'); END;
CREATE TRIGGER document_is_not_removed BEFORE DELETE ON monthly_document BEGIN SELECT raise(ABORT, 'an issued document is not removed'); END;
