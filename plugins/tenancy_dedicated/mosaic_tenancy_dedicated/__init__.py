"""Each tenant in a database of its own."""
