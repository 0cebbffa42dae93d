"""Which switch port a classroom is connected to, and the switch's readings of it. `find` and `counters` are pure; `ask` runs in a worker."""
