"""The gate: which tasks are stopped, and what becomes of their instances."""
