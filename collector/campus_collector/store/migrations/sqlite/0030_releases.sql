-- Releases of the agent, their packages in parts, and the signed index of the repository.
CREATE TABLE release (
  version TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  wave INTEGER NOT NULL,
  wave_since INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE release_package (
  version TEXT NOT NULL,
  architecture TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  control TEXT NOT NULL,
  PRIMARY KEY (version, architecture)
) WITHOUT ROWID;
CREATE TABLE release_part (
  sha256 TEXT NOT NULL,
  part INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (sha256, part)
);
-- `number` counts the indexes that were ever signed.
CREATE TABLE release_index (
  name TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;
-- What each gateway answered last, and how far its last upgrade is. `target` is the version it was offered.
CREATE TABLE gateway_upgrade (
  school TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  version TEXT NOT NULL,
  target TEXT NOT NULL,
  offered_at INTEGER,
  installed_at INTEGER,
  returned_at INTEGER,
  reason TEXT NOT NULL,
  PRIMARY KEY (school, agent_id)
) WITHOUT ROWID;
