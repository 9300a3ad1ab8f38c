"""What a run says of itself: what it will do, how long that takes, and what it did.

Nothing here imports torch or pandas: the Snakefile imports it at every parse.
"""
