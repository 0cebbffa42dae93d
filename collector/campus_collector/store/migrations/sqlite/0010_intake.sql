-- What each school has sent on a day (UTC, since 1970, by arrival): the quotas count it.
CREATE TABLE intake (
  school TEXT NOT NULL,
  day INTEGER NOT NULL,
  results INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (school, day)
) WITHOUT ROWID;
