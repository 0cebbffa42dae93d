"""A private certificate authority for counties without one (`authority`), and the collector's certificate as it is served (`served`)."""
