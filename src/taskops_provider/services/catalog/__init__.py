"""What there is: workflows, tasks, their history, owners, folders, lineage, as the lists and pages show it."""
