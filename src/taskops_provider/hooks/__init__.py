"""The HTTP client of the REST API, for code without a database: tasks and triggers."""
