"""How much an operation takes."""

from __future__ import annotations

#: targets that one request may name
MAX_TARGETS = 10_000
MAX_OWNERS = 50
MAX_OWNER_LENGTH = 190
MAX_REASON_LENGTH = 2000
MAX_TICKET_LENGTH = 250
#: instances that one request may name: clearing takes some milliseconds each
MAX_INSTANCES = 1000
#: instances that are rerun with those that a request names
MAX_RERUN = 5000
#: runs that one request may name
MAX_RUNS = 500
