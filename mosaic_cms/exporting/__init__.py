"""Writing a site out: as a folder of Markdown, or as one JSON file."""
