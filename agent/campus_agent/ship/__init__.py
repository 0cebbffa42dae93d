"""Send spooled results to the collector; learn its time."""
