"""What the bureau's inventory and policy say to a school's gateway: `config` makes it, `routes` gives it."""
