"""Archives of closed months as files: their format, and reading them without a database."""
