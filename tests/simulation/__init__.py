"""The core in every order of events: see docs/simulation.md."""
