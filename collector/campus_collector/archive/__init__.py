"""Archives of closed months: written from the store, verified from their files alone. Their format and reading: `store.archive`."""
