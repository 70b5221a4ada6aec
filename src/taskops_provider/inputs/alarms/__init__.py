"""Alarm rules, as people and programs give them and as they are kept."""
