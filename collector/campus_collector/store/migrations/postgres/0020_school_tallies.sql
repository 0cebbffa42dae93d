-- What the verdicts of a school's month add up to, worked out from the evidence of its days. `month` is its first day (since 1970); -1 holds how the
-- newest results would be judged alone. `revision` grows with everything that may change the verdicts: of a month with its evidence, of -1 with the
-- list of the school's subjects. `rests_on` is the sum of both when the verdicts were counted, `basis` names the rules they were counted by: a tally
-- holds as long as both are the present ones.
CREATE TABLE school_tally (
  school TEXT COLLATE "C" NOT NULL,
  month BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  rests_on BIGINT,
  basis TEXT COLLATE "C",
  tally BYTEA,
  verdicts BYTEA,
  PRIMARY KEY (school, month)
);
