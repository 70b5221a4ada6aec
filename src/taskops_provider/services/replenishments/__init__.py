"""Replenishments: plan, create, execute, follow."""
