"""Why a task or an instance does not run."""
