-- The size of the database at the last look of each day, from which its growth is worked out.
CREATE TABLE store_size (
    day BIGINT NOT NULL PRIMARY KEY,
    used_bytes BIGINT NOT NULL,
    results BIGINT NOT NULL
);
