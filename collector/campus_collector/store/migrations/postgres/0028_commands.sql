-- What people ask of gateways. `number` counts the commands of a school; moments are microseconds since 1970, by the database's clock.
CREATE TABLE command (
  school TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  asked_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (school, number)
);
CREATE UNIQUE INDEX command_by_id ON command (school, id);
CREATE INDEX command_not_taken ON command (school, number) WHERE state = 'asked';
CREATE INDEX command_by_person ON command (person, asked_at);
