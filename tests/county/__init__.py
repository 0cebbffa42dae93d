"""An invented county that has been measured for thirteen months: `make demo`."""
