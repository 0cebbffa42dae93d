"""Routes for programs: agents send and fetch, others read."""
