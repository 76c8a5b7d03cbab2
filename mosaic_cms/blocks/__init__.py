"""Blocks: the pieces that a page's regions are made of."""
