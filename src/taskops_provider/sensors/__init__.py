"""Sensors: a Dag waits for a status, through the REST API."""
