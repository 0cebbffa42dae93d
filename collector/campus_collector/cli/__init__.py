"""The commands of `campus-collector`, one file each: `register` declares the arguments, `run` does the work and returns the exit code."""
