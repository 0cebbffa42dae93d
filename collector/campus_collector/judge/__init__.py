"""Judges results by the written policy. Pure but for `service`, which keeps evidence and verdicts up to date."""
