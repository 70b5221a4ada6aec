"""Pages and dialogs of alarms and their rules."""
