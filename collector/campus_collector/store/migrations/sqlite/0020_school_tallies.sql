-- What the verdicts of a school's month add up to, worked out from the evidence of its days. `month` is its first day (since 1970); -1 holds how the
-- newest results would be judged alone. `revision` grows with everything that may change the verdicts: of a month with its evidence, of -1 with the
-- list of the school's subjects. `rests_on` is the sum of both when the verdicts were counted, `basis` names the rules they were counted by: a tally
-- holds as long as both are the present ones.
CREATE TABLE school_tally (
  school TEXT NOT NULL,
  month INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  rests_on INTEGER,
  basis TEXT,
  tally BLOB,
  verdicts BLOB,
  PRIMARY KEY (school, month)
);
