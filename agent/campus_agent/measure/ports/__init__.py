"""Which switch port a classroom is connected to, and what the switch tells of it. `find` and `counters` are pure; `ask` runs in a worker."""
