"""One page type, its templates, and the content."""
