"""Each tenant in a SQLite file of its own."""
