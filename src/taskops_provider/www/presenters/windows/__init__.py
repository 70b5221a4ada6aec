"""The page of windows: list, month, and the dialogs that make and change them."""
