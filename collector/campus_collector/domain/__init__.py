"""Records and rules that more than one layer speaks of. No I/O."""
