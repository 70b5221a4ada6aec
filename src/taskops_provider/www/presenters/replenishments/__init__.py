"""Pages and dialogs of replenishments."""
