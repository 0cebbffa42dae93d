-- The size of the database at the last look of each day, from which its growth is worked out.
CREATE TABLE store_size (
    day INTEGER NOT NULL PRIMARY KEY,
    used_bytes INTEGER NOT NULL,
    results INTEGER NOT NULL
);
