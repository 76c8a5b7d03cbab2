"""The media library: what is checked of a file, how it comes in, and what becomes of it."""
