"""The daemon's memory on disk: one SQLite database, what is kept in it, and its repair."""
