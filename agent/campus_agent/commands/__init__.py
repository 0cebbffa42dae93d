"""What the bureau asks this gateway to do: `lane` waits for it and runs each command once, `kinds` is the table of what can be asked."""
