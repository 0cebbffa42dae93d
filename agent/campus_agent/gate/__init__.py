"""May a load start now? Lessons, blackout days, byte budget, segment lock, slot, quiet line and CPU."""
