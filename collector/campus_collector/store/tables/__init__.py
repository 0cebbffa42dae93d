"""Table groups: portable SQL (named parameters, ON CONFLICT, RETURNING, CASE) for whatever transport the database has."""
