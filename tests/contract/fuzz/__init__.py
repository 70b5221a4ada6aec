"""Hostile requests of somebody who may do everything to a few Dags: ``make fuzz``."""
