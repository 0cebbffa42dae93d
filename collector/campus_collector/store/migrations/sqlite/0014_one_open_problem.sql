-- A subject has at most one open problem for a target. Up to 0.2.0 two processes could open the same one twice: migrate.py calls tables/ledger.py to close
-- all but one of such before this. Later versions made the index whenever they started, so it may be there.
CREATE UNIQUE INDEX IF NOT EXISTS problem_open_once ON problem (school, target, subject) WHERE state <> 'closed';
