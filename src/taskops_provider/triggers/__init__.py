"""What deferred sensors wait with, in the triggerer."""
