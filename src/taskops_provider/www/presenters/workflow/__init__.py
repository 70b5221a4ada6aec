"""The page of a workflow."""
