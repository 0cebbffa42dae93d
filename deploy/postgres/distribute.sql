-- Distributes the tables of a CampusMeter store by school, with Citus (https://docs.citusdata.com), over several PostgreSQL servers.
--
-- UNPROVED: no Citus could be had where this was written. It was never run. A test proves that every table stands here once, that the keys of the
-- distributed tables begin with the school, and that storing, judging and the pages of a school name one school in each statement; nothing more.
--
-- Check first, with a copy of the store:
--  1. create_distributed_table and create_reference_table take every table. Triggers: `result` and `chain_start` have triggers that refuse changes;
--     see citus.enable_unsafe_triggers, and whether they still refuse on every server. Identity columns: quarantine.sequence (bigint),
--     numbered_school.number (integer).
--  2. What reads all schools (the manual, "PostgreSQL and several collectors", "By school") is understood by Citus and is quick enough: recursive statements, and
--     a smallest value taken in a subquery for each school.
--  3. Readers see a commit on all servers when it is seen in `change`. Citus has no snapshot of several servers at once: a collector that is told
--     of a change and reads the school's rows at the same moment may read the older ones and keep them.
--  4. A lock by pg_advisory_xact_lock is of one server: all collectors must connect to the coordinator.
--  5. Names in these tables are compared by their bytes (COLLATE "C") on every server, and the time of a commit over several servers is bearable.
--
-- Stop all collectors, make a backup, then as the owner: psql --single-transaction --set ON_ERROR_STOP=1 --file distribute.sql

SET citus.enable_unsafe_triggers = on;

-- Small, read with everything, hardly ever written: on every server.
SELECT create_reference_table('school');
SELECT create_reference_table('numbered_school');
SELECT create_reference_table('token');

-- By the school's number: results with what belongs to each. A number takes four bytes in every row and every entry of an index.
SELECT create_distributed_table('series', 'school', colocate_with => 'none');
SELECT create_distributed_table('seen', 'school', colocate_with => 'series');
SELECT create_distributed_table('result', 'school', colocate_with => 'series');

-- By the school's id, which is text. Tables are only colocated with others of the same type: a commit that stores results concerns one shard of each
-- group, which may be on two servers, and is then committed in two phases.
SELECT create_distributed_table('subject', 'school', colocate_with => 'none');
SELECT create_distributed_table('agent', 'school', colocate_with => 'subject');
SELECT create_distributed_table('agent_boot', 'school', colocate_with => 'subject');
SELECT create_distributed_table('latest', 'school', colocate_with => 'subject');
SELECT create_distributed_table('unjudged', 'school', colocate_with => 'subject');
SELECT create_distributed_table('day_evidence', 'school', colocate_with => 'subject');
SELECT create_distributed_table('school_tally', 'school', colocate_with => 'subject');
SELECT create_distributed_table('seal', 'school', colocate_with => 'subject');
SELECT create_distributed_table('receipt', 'school', colocate_with => 'subject');
SELECT create_distributed_table('chain_start', 'school', colocate_with => 'subject');
SELECT create_distributed_table('chain_mismatch', 'school', colocate_with => 'subject');
SELECT create_distributed_table('intake', 'school', colocate_with => 'subject');
SELECT create_distributed_table('quarantine', 'school', colocate_with => 'subject');
SELECT create_distributed_table('total', 'school', colocate_with => 'subject');
SELECT create_distributed_table('command', 'school', colocate_with => 'subject');
SELECT create_distributed_table('unpacked_school', 'school', colocate_with => 'subject');
SELECT create_distributed_table('unpacked_result', 'school', colocate_with => 'subject');
SELECT create_distributed_table('unpacked_seen', 'school', colocate_with => 'subject');

-- The coordinator's, which stay as they are. `change` has a row for each school, numbered by the transactions of one server.
-- local: archived_month, removed_month, attempt, audit, change, enroll_code, inventory, lease, mark, migration, monthly, monthly_document, person, problem, shared_key, slot
-- local: store_size, upload, upstream, release, release_package, release_part, release_index, gateway_upgrade, outgoing_month, area_code, area_member, area_month
