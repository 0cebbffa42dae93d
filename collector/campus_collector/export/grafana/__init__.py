"""Put the dashboards into a Grafana: `plan` compares (pure), `provision` asks and changes."""
