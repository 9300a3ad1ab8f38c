"""The typed configuration of a study; imports no torch."""
