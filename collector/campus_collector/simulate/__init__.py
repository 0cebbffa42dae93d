"""A synthetic fleet with known faults, through the real ingest API: `county` deals out faults, `results` measures them, `feed` sends, `truth` compares.

Everything it makes is labelled: the agents' system is `simulated`, the engine's version is `simulated`.
"""

LABEL = "simulated"
