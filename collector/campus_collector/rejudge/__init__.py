"""What would another policy have meant? Judges archived months again, file by file: `part` is one file, `processes` and `cluster` do many, `plan` and `outcome` join them."""
