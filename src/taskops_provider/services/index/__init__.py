"""The index of workflows, tasks and dependencies, read from serialized Dags."""
