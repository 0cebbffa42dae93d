-- Results are packed (packing.py), and numbers stand for the names of school, subject and kind: a tenth of the space. What was stored before keeps its
-- form in the tables `unpacked_...` until compaction.py has moved it, school by school, beside the running collector.
DROP TRIGGER IF EXISTS result_is_not_changed;
DROP TRIGGER IF EXISTS result_is_not_removed;
ALTER TABLE result RENAME TO unpacked_result;
ALTER TABLE seen RENAME TO unpacked_seen;

CREATE TABLE numbered_school (
  number INTEGER PRIMARY KEY,
  school TEXT NOT NULL UNIQUE
);

-- A subject's results of one kind.
CREATE TABLE series (
  school INTEGER NOT NULL,
  number INTEGER NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  PRIMARY KEY (school, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX series_by_name ON series (school, subject, kind);

-- Clustered by what the judge reads. `sequence` is the place in the school's chain, counted from 1; below 0 are results that are older than the chain.
CREATE TABLE result (
  school INTEGER NOT NULL,
  series INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  packed BLOB NOT NULL,
  PRIMARY KEY (school, series, started_at, sequence)
) WITHOUT ROWID;
CREATE TRIGGER result_is_not_changed BEFORE UPDATE ON result BEGIN SELECT raise(ABORT, 'results are immutable'); END;
CREATE TRIGGER result_is_not_removed BEFORE DELETE ON result BEGIN SELECT raise(ABORT, 'results are immutable'); END;

-- An id is stored once however often it arrives, also with a corrected time: 16 octets of a UUID, else its text (`columns.id_octets`).
CREATE TABLE seen (
  school INTEGER NOT NULL,
  id BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (school, id)
) WITHOUT ROWID;

-- Schools with results in the form of before. Those up to `last_sequence` are read there, and later ones in `result`, as long as `state` is `unpacked` or
-- `set_aside` (they do not fit their chain, `reason` says how, and are not touched). `packed`: all are in `result`, the others are being removed;
-- `removed`: they are. `head` is that of the chain after `last_sequence`; `results` counts them as far as the chain tells.
-- `subject` to `id` are the key of the last one that was copied; `older` counts those among the copied that are older than the chain.
CREATE TABLE unpacked_school (
  school TEXT PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  head BLOB,
  results INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'unpacked' CHECK (state IN ('unpacked', 'packed', 'removed', 'set_aside')),
  copied INTEGER NOT NULL DEFAULT 0,
  older INTEGER NOT NULL DEFAULT 0,
  subject TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT '',
  started_at INTEGER NOT NULL DEFAULT 0,
  id TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
INSERT INTO unpacked_school (school, last_sequence, head, results)
  WITH RECURSIVE
    s(school) AS (SELECT min(school) FROM unpacked_seen UNION ALL
      SELECT (SELECT min(school) FROM unpacked_seen u WHERE u.school > s.school) FROM s WHERE s.school IS NOT NULL),
    r(school) AS (SELECT min(school) FROM unpacked_result UNION ALL
      SELECT (SELECT min(school) FROM unpacked_result u WHERE u.school > r.school) FROM r WHERE r.school IS NOT NULL)
  SELECT known.school,
    coalesce((SELECT max(last_sequence) FROM seal WHERE seal.school = known.school), 0),
    (SELECT head FROM seal WHERE seal.school = known.school ORDER BY day DESC LIMIT 1),
    coalesce((SELECT max(last_sequence) FROM seal WHERE seal.school = known.school), 0)
      + coalesce((SELECT results_before FROM chain_start c WHERE c.school = known.school), 0)
  FROM (SELECT school FROM s UNION SELECT school FROM r) AS known WHERE known.school IS NOT NULL;

CREATE TRIGGER unpacked_result_is_not_changed BEFORE UPDATE ON unpacked_result BEGIN SELECT raise(ABORT, 'results are immutable'); END;
CREATE TRIGGER unpacked_result_is_not_added BEFORE INSERT ON unpacked_result BEGIN SELECT raise(ABORT, 'results are stored packed'); END;
CREATE TRIGGER unpacked_result_is_not_removed BEFORE DELETE ON unpacked_result
  WHEN NOT EXISTS (SELECT 1 FROM unpacked_school u WHERE u.school = OLD.school AND u.state = 'packed')
  BEGIN SELECT raise(ABORT, 'results are immutable'); END;
