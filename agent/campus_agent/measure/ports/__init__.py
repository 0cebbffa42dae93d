"""The port's own word: which switch port a classroom hangs on, and what the switch says of it. `find` and `counters` are pure; `ask` runs in a worker."""
