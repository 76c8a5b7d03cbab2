"""News, limits and sessions that instances share, in Redis."""
