"""May a load start now? `Gate.open` gives a permit or the reason why not, to the daemon, the command line and the classroom page alike."""
