-- A result took 416 bytes on disk, 140 of them in the keys of these two tables. PostgreSQL keeps entries with the same key together, in 6 bytes each: an
-- index by what several rows share is a fraction of one that holds all of each row.

-- By what the judge reads: the results of a subject and kind on a day (UTC). The rest of the condition is looked up in the rows.
CREATE INDEX result_by_day ON result (school, series, (started_at / 86400000000));
ALTER TABLE result DROP CONSTRAINT result_pkey;

-- Ids by a part of them: the first two bytes, which are the 50 days of a UUID of version 7, so that what is added stands in one part of the index, and 12
-- bits of a hash, which spread ids of any form. A school's 50 days have some 50 000 ids: a dozen to a bucket. Text becomes a number by way of bits.
CREATE FUNCTION id_bucket(id BYTEA) RETURNS INTEGER LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT ('x' || encode(substr(id, 1, 2) || substr(sha256(id), 1, 2), 'hex'))::bit(28)::integer $$;
-- That an id is stored once is seen to by the writer: it looks for the id, and nobody else stores results of the school meanwhile.
CREATE INDEX seen_by_bucket ON seen (school, id_bucket(id));
ALTER TABLE seen DROP CONSTRAINT seen_pkey;
