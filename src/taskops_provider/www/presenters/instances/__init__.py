"""Dialogs on task instances, and their badges."""
