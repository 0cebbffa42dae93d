"""Keep results on disk until the collector has them: errors, schema, files, lock, rescue, then spool, which puts them together."""
