"""Pictures in the sizes that pages need: their addresses, their HTML, and how they are made."""
