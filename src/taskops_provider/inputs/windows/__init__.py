"""Windows: planned pauses, freezes, and times in which nothing is replenished."""
