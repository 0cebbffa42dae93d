"""Keep every result for ever, as it came; `interface` says what a store can do, `sqlite` is the one without set-up."""
