"""The lists of workflows and tasks: columns, filters, rows."""
