"""Read by HTTP: schools, results, compliance, health, and the description of it all."""
