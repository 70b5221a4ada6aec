"""What the documentation of the API says beside the routes."""

from __future__ import annotations

SUMMARY = "Scheduling state per task: pause, offline, delete, resubmit; owners, strict mode, records."

DESCRIPTION = """
The same operations, with the same answers, as the pages and `airflow taskops` have.

**Who asks.** Airflow's own sign-in: the cookie of the browser, or `Authorization: Bearer <token>` with a token of
`POST /auth/token`. Reading needs read access to the Dag, a change edit access to it. What you may not read is not
there: not in lists, totals, lineage, blockers or records.

**Changes.** `POST /v1/tasks/{verb}` and `POST /v1/workflows/{verb}` take many targets, and answer 200 with what came
of each: `applied`, `left_alone` (the operation does not apply to its status) or `blocked` (strict mode, a missing
permission). `outcome` sums it up: `success`, `part_success`, `refused`. All that applies is done in one transaction.

| verb | a task may be | becomes | options |
|---|---|---|---|
| start | paused | scheduling | held, fill_gap |
| pause | scheduling | paused | downstream, terminate_instances, resume_at, fill_gap |
| offline | scheduling, paused, invalid | offline | downstream, terminate_instances, cascade |
| delete | offline | deleted | downstream (`run` or `fail`, must be chosen) |
| submit | offline, deleted | scheduling | |
| set-owners | any but deleted | | owners |

**Preview first.** With `"dry_run": true` nothing is changed, and the answer holds a `plan_hash`. Send it along with the
same request to apply exactly that plan: where the state has changed meanwhile the answer is 409 with the difference.

**Errors** are `{"detail": "one line"}`, and nothing was done.
"""

TAGS = [
    {"name": "Workflows", "description": "Dags, with the scheduling state of their tasks."},
    {"name": "Tasks", "description": "Tasks, their scheduling state, their lineage across workflows."},
    {"name": "Instances", "description": "What ran when, and operations on single instances."},
    {"name": "Replenishments", "description": "Execute missing and failed cells, task by cycle, of the past."},
    {"name": "Alarms", "description": "Rules that tell people of failures, delays and successes, and what they fired."},
    {"name": "Windows", "description": "Planned pauses, freezes, skipped cycles, and holding everything."},
    {"name": "Operations", "description": "Who changed what, when, from where, why; and undoing it."},
    {"name": "Exports", "description": "Downloads of whole lists as CSV or JSON, prepared in the background."},
    {"name": "Settings", "description": "Strict mode of projects."},
    {"name": "Health", "description": "For load balancers."},
]
