"""The figures that MOSAIC is held to: `python -m bench [NAME …]`."""
