"""Upward reporting (逐级上报): a county's closed months go to the prefecture and on to the province, each signed; there they are verified, compared and reported."""
