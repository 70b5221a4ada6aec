"""Downloads prepared in the background."""
