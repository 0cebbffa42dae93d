"""Show the present to Prometheus: `table` names every metric, `fleet` fills them, `sheet` keeps their lines, `page` writes what changed, `routes` serves it."""
