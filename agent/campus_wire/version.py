"""Which version is this? The one place; the distribution takes it from here, and the agent need not search its metadata."""

VERSION = "0.1.0"
