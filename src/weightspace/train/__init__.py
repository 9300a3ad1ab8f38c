"""Training of models on weights: the loop, its loss and schedule, a cell, and its records."""
