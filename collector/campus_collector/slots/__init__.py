"""Who may test the uplink now? Reservations of the test server, so that a hundred schools never test at once."""
