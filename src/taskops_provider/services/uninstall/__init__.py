"""Leaving: what must happen before the package goes, and doing it."""
