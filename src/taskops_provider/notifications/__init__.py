"""Airflow notifiers of TaskOps."""
