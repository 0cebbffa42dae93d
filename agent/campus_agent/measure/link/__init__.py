"""What the kernel knows of a line: addresses, connections, counters, round trips, timestamps. Each exists once, for all probes."""
