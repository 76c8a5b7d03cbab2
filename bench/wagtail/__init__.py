"""The Wagtail half of the benchmark: a site like MOSAIC's, in an environment of its own."""
