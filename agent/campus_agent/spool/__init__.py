"""Keep results on disk until the collector has them: errors, schema, files, lock, rescue, then database and spool, which use them."""
