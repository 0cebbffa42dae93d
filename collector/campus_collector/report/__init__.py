"""The monthly report: `gather` reads a month into `figures`, `compose` makes a document of them, `forms` write it, `service` closes months and keeps what was issued."""
