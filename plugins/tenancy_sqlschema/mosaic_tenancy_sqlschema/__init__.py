"""Each tenant in a schema of its own in a shared database."""
