-- Archived months whose results leave, or have left (`ended_at`), the database. Moments are microseconds since 1970, as `started_at` of results.
CREATE TABLE removed_month (
  month TEXT PRIMARY KEY,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  ended_at INTEGER,
  results INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TRIGGER removed_month_is_not_removed BEFORE DELETE ON removed_month BEGIN SELECT raise(ABORT, 'what has left is not forgotten'); END;
DROP TRIGGER result_is_not_removed;
CREATE TRIGGER result_is_not_removed BEFORE DELETE ON result
  WHEN NOT EXISTS (SELECT 1 FROM removed_month m
    WHERE m.ended_at IS NULL AND OLD.started_at >= m.starts_at AND OLD.started_at < m.ends_at)
  BEGIN SELECT raise(ABORT, 'results are immutable'); END;
