"""The agent: it runs on a school's gateway, measures by the timetable, keeps results on disk and sends them to the collector."""
