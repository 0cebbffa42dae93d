"""Judge results by the written policy. Pure: results and policy in, verdicts with their evidence out; no HTTP, no SQL."""
