"""Pages that people read: server-rendered, both languages, no scripts."""
