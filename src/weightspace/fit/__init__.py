"""Fitting SIRENs to signals: many small networks at once, each on its own signal."""
