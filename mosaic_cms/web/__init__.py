"""Serving visitors: host, page cache, delivery. Pure ASGI; a cached page never reaches routing."""
