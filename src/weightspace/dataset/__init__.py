"""The set of fitted INRs: shards assembled to one file, and what training reads of it."""
