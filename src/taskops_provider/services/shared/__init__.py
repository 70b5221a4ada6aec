"""What all services lean on: the actor, locks, pages, keys of tasks, watermarks, records."""
