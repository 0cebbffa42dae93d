-- Upward reporting: months that go up, and months that have come from below.

-- Where this collector is enrolled; one row, whose name is 'upstream'.
CREATE TABLE upstream (
  name TEXT COLLATE "C" PRIMARY KEY,
  member TEXT COLLATE "C" NOT NULL,
  url TEXT COLLATE "C" NOT NULL,
  enrolled_at BIGINT NOT NULL
);

-- What goes up, stored before it is sent. `county` is '' of this collector's own months, else whose month a prefecture hands on. `position` is the
-- order in which they were made. Only how far one has come may change.
CREATE TABLE outgoing_month (
  county TEXT COLLATE "C" NOT NULL,
  series BIGINT NOT NULL,
  month TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  position BIGINT NOT NULL,
  made_at BIGINT NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  envelope BYTEA NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  attempted_at BIGINT,
  answer BYTEA,
  acknowledged_at BIGINT,
  PRIMARY KEY (county, series, month, number)
);
CREATE INDEX outgoing_month_waiting ON outgoing_month (position) WHERE acknowledged_at IS NULL;
CREATE TRIGGER outgoing_month_is_not_changed
  BEFORE UPDATE OF county, series, month, number, position, made_at, sha256, envelope ON outgoing_month
  EXECUTE FUNCTION refuse_change('a month that goes up is not changed');
CREATE TRIGGER outgoing_month_is_not_removed BEFORE DELETE OR TRUNCATE ON outgoing_month
  EXECUTE FUNCTION refuse_change('a month that goes up is not removed');

-- Who may hand in months here, and the codes by which they get their token.
CREATE TABLE area_code (
  hash BYTEA PRIMARY KEY,
  member TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  level TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE TABLE area_member (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  level TEXT COLLATE "C" NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  public_key BYTEA NOT NULL,
  series BIGINT NOT NULL,
  enrolled_at BIGINT NOT NULL,
  revoked_at BIGINT
);

-- What has come from below, as it was signed. Only added to.
CREATE TABLE area_month (
  sender TEXT COLLATE "C" NOT NULL,
  county TEXT COLLATE "C" NOT NULL,
  series BIGINT NOT NULL,
  month TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  position BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  public_key BYTEA NOT NULL,
  envelope BYTEA NOT NULL,
  summary BYTEA NOT NULL,
  PRIMARY KEY (sender, county, series, month, number)
);
CREATE TRIGGER area_month_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON area_month
  EXECUTE FUNCTION refuse_change('a month from below is not changed');
