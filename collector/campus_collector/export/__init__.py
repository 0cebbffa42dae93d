"""The present for Prometheus: `table` names every metric, `samplers` fill them, `exposition` keeps their lines, `metrics_cache` rewrites what changed."""
