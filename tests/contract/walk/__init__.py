"""Every route asked as every kind of person: the answers are those of the table of rights in docs/security.md."""
