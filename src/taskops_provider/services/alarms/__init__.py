"""Alarms: rules, what they watch for, whom they tell and how."""
