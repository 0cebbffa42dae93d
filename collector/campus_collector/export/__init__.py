"""Show the present to Prometheus: `table` names every metric, `fleet` fills them, `routes` serves /metrics."""
