"""Dialogs of operations, and their records."""
