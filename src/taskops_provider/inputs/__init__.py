"""What people and programs may ask for: one model for each input, whichever surface reads it."""
