-- The boots that a gateway has reported from, its newest ones: one that returns after another may be a second machine with the same identity.
CREATE TABLE agent_boot (
  school TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (school, agent_id, boot_id)
) WITHOUT ROWID;
-- When an earlier boot returned last, and when that was noticed as two machines (microseconds since 1970, by arrival).
ALTER TABLE agent ADD COLUMN boot_returned_at INTEGER;
ALTER TABLE agent ADD COLUMN identity_shared_at INTEGER;
