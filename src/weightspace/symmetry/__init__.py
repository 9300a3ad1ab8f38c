"""Group actions on weights that keep, or align, the function of a network."""
