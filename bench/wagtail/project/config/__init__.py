"""How the measured site runs."""
