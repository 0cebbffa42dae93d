"""Records and rules that more than one layer uses. No I/O."""
