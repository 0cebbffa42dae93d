-- What people ask of gateways. `number` counts the commands of a school; moments are microseconds since 1970, by the database's clock.
CREATE TABLE command (
  school TEXT NOT NULL,
  number INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  person TEXT NOT NULL,
  state TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (school, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX command_by_id ON command (school, id);
CREATE INDEX command_not_taken ON command (school, number) WHERE state = 'asked';
CREATE INDEX command_by_person ON command (person, asked_at);
