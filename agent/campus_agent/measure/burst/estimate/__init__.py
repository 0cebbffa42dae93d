"""From arrival times and counters to rates and a verdict. Pure."""
