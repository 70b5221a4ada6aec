"""Operators: changes that a Dag asks for, through the REST API."""
