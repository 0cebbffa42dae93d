-- Releases of the agent, their packages in parts, and the signed index of the repository.
CREATE TABLE release (
  version TEXT COLLATE "C" PRIMARY KEY,
  state TEXT NOT NULL,
  wave BIGINT NOT NULL,
  wave_since BIGINT NOT NULL,
  added_at BIGINT NOT NULL,
  reason TEXT NOT NULL
);
CREATE TABLE release_package (
  version TEXT COLLATE "C" NOT NULL,
  architecture TEXT COLLATE "C" NOT NULL,
  sha256 TEXT NOT NULL,
  size BIGINT NOT NULL,
  control TEXT NOT NULL,
  PRIMARY KEY (version, architecture)
);
CREATE TABLE release_part (
  sha256 TEXT COLLATE "C" NOT NULL,
  part BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (sha256, part)
);
-- `number` counts the indexes that were ever signed.
CREATE TABLE release_index (
  name TEXT COLLATE "C" PRIMARY KEY,
  number BIGINT NOT NULL,
  body BYTEA NOT NULL
);
-- What each gateway answered last, and how far its last upgrade is. `target` is the version it was offered.
CREATE TABLE gateway_upgrade (
  school TEXT COLLATE "C" NOT NULL,
  agent_id TEXT COLLATE "C" NOT NULL,
  asked_at BIGINT NOT NULL,
  version TEXT NOT NULL,
  target TEXT NOT NULL,
  offered_at BIGINT,
  installed_at BIGINT,
  returned_at BIGINT,
  reason TEXT NOT NULL,
  PRIMARY KEY (school, agent_id)
);
