"""Recomputes what can be recomputed from the stored results: chain, audit trail and evidence; names the first difference of each. Above `judge`, as it judges anew."""
