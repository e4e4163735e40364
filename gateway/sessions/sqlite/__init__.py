"""Sessions in SQLite, the embedded store."""
