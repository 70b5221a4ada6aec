"""The FastAPI application under ``/taskops``."""
