-- What changed last, numbered over all of it: the caches of every process that has the file open follow these rows. `school` "" stands for all.
CREATE TABLE change (
  what TEXT NOT NULL,
  school TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (what, school)
) WITHOUT ROWID;
CREATE INDEX change_by_number ON change (number);

-- Work that one process at a time may do: who does it, and until when (microseconds since 1970) it is nobody else's.
CREATE TABLE lease (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;

-- How many results of a school are older than the chain: only so many may be without a place in it. Schools without a row have none.
CREATE TABLE chain_start (
  school TEXT PRIMARY KEY,
  results_before INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO chain_start SELECT school, count(*) FROM seen WHERE sequence IS NULL GROUP BY school;
CREATE TRIGGER chain_start_is_not_changed BEFORE UPDATE ON chain_start BEGIN SELECT raise(ABORT, 'the start of the chain is not changed'); END;
CREATE TRIGGER chain_start_is_not_added BEFORE INSERT ON chain_start BEGIN SELECT raise(ABORT, 'the start of the chain is not changed'); END;
CREATE TRIGGER chain_start_is_not_removed BEFORE DELETE ON chain_start BEGIN SELECT raise(ABORT, 'the start of the chain is not changed'); END;

-- The heads that the last receipts of a school carried: what its gateway says it was given is compared with them.
CREATE TABLE receipt (
  school TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  head BLOB NOT NULL,
  PRIMARY KEY (school, sequence)
) WITHOUT ROWID;

-- A gateway was given another head than the chain has: results it had a receipt for are not here, or not as they came.
CREATE TABLE chain_mismatch (
  school TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  head BLOB NOT NULL,
  noticed_at INTEGER NOT NULL,
  our_sequence INTEGER NOT NULL,
  PRIMARY KEY (school, sequence, head)
) WITHOUT ROWID;
