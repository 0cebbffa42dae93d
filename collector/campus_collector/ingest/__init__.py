"""Examines the results of a batch one by one; what is not accepted goes to quarantine with the reason."""
