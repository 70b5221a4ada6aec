"""What Airflow discovers about this provider. A plain dict: every Airflow process imports it."""

from __future__ import annotations

from typing import Any


def _option(description: str, type_: str, default: str, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description + "\n",
        "version_added": "0.1.0",
        "type": type_,
        "example": example,
        "default": default,
    }


_INTEGRATION = "TaskOps"


def _modules(*names: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": _INTEGRATION, "python-modules": [f"taskops_provider.{name}" for name in names]},
    ]


#: the form of connections in Airflow's UI
_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "taskops",
    "hook-class-name": "taskops_provider.hooks.taskops.TaskOpsHook",
    "hook-name": "TaskOps",
    "ui-field-behaviour": {
        "hidden-fields": ["extra"],
        "relabeling": {
            "host": "API server",
            "schema": "Scheme (https, or http)",
            "password": "Password, or token without a login",
        },
        "placeholders": {"host": "https://airflow.example.com", "login": "a user of Airflow"},
    },
    "conn-fields": {
        "timeout": {
            "label": "Timeout",
            "description": "Seconds to wait for an answer; 30 where empty.",
            "schema": {"type": ["number", "null"], "minimum": 0},
        },
        "retries": {
            "label": "Retries",
            "description": "Retries for safe requests (default 5).",
            "schema": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
        },
        "verify": {
            "label": "Verify certificates",
            "description": "true, false, or the path of a CA bundle; true where empty.",
            "schema": {"type": ["string", "null"]},
        },
        "token": {
            "label": "Token",
            "description": "A bearer token, instead of login and password.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as ``provider_info.schema.json`` of Airflow wants it."""
    from taskops_provider import __version__

    return {
        "package-name": "airflow-provider-taskops",
        "name": "TaskOps",
        "description": "Task operations: per-task pause, offline, delete and resubmit that the scheduler obeys.",
        "versions": [__version__],
        "cli": ["taskops_provider.cli.entry.get_taskops_cli_commands"],
        "integrations": [{"integration-name": _INTEGRATION, "tags": ["service"]}],
        "operators": _modules("operators.tasks", "operators.instances", "operators.replenishment"),
        "sensors": _modules("sensors.task_status", "sensors.replenishment"),
        "triggers": _modules("triggers.task_status", "triggers.replenishment"),
        "hooks": _modules("hooks.taskops", "hooks.taskops_async"),
        "connection-types": [_CONNECTION_TYPE],
        "extra-links": [f"taskops_provider.operators.links.{name}" for name in ("ReplenishmentLink", "OperationLink")],
        "notifications": ["taskops_provider.notifications.email.EmailNotifier"],
        "plugins": [{"name": "taskops_provider", "plugin-class": "taskops_provider.plugin.TaskOpsProviderPlugin"}],
        "db-managers": ["taskops_provider.models.db_manager.TaskOpsDBManager"],
        "config": {
            "taskops": {
                "description": "Settings of TaskOps (airflow-provider-taskops).",
                "options": {
                    "strict_mode": _option(
                        "Whether projects that chose nothing themselves are in strict mode: pause, offline and delete\n"
                        "then take effect only on tasks without downstream tasks that are not offline.",
                        "boolean",
                        "False",
                    ),
                    "default_downstream": _option(
                        "What a gated instance becomes where pause or offline is not told: skip, run or fail.",
                        "string",
                        "skip",
                    ),
                    "monitor_in_api_server": _option(
                        "Whether the API server runs the monitor loop in a thread. Turn it off where\n"
                        "``airflow taskops monitor`` runs as a process of its own.",
                        "boolean",
                        "True",
                    ),
                    "monitor_interval": _option("Seconds between two rounds of the monitor loop.", "float", "2"),
                    "max_replenishment_cells": _option(
                        "The largest number of task x cycle cells that one data replenishment may have.",
                        "integer",
                        "100000",
                    ),
                    "page_size": _option("Rows on a page of a list.", "integer", "50"),
                    "records_retention_days": _option("Days for which operation records are kept.", "integer", "180"),
                    "exports_url": _option(
                        "Where prepared downloads are kept; empty: in the metadata database, else an object\n"
                        "storage path.",
                        "string",
                        "",
                        "s3://bucket/taskops",
                    ),
                    "task_type_resolver": _option(
                        "Import path of a function ``(task: dict) -> str`` that names a task's type from its\n"
                        "serialized form; empty: the operator's name.",
                        "string",
                        "",
                        "my_site.taskops.task_type",
                    ),
                    "folder_resolver": _option(
                        "Import path of a function ``(bundle_name: str, relative_fileloc: str) -> str`` that names a\n"
                        "Dag's folder; empty: the directory of its file inside the bundle.",
                        "string",
                        "",
                        "my_site.taskops.folder",
                    ),
                    "owner_email_resolver": _option(
                        "Import path of a function ``(name: str) -> str | None`` that returns the e-mail address of\n"
                        "an owner or user whom the auth manager does not know; empty: none.",
                        "string",
                        "",
                        "my_site.taskops.owner_email",
                    ),
                    "alarm_channels": _option(
                        "The channels by which people may be told, a JSON object: name -> ``notifier`` (``email``,\n"
                        "``webhook`` or the class path of an Airflow notifier), ``connection``, ``args`` (fixed\n"
                        "arguments), ``may_set`` (arguments that people may set, each with ``choices``, or\n"
                        "``minimum`` and ``maximum``, or ``max_length``). ``email`` is there unless it is null.",
                        "string",
                        "",
                        '{"chat": {"notifier": "webhook", "connection": "chat", "args": {"endpoint": "hooks/ops"}}}',
                    ),
                    "notice_channels": _option(
                        "How owners are told of operations with notify_owners: a JSON list of names of channels,\n"
                        '``"email"`` or those of ``alarm_channels``.',
                        "string",
                        '["email"]',
                        '["email", "chat"]',
                    ),
                    "delivery_window_hours": _option(
                        "Hours for which a message of an alarm that cannot be sent is tried again.", "float", "24"
                    ),
                },
            }
        },
    }
