"""How often, and for how many rows, each caller may ask."""
