"""How a site extends TaskOps: a module in Airflow's plugins folder.

The plugins folder is on the import path of every Airflow process, so TaskOps finds these functions by name when the
configuration says so::

    [taskops]
    task_type_resolver = retail_site.task_type
    folder_resolver = retail_site.folder
    owner_email_resolver = retail_site.owner_email

and its own notifier as a channel of alarms that people may choose, and set the book of::

    [taskops]
    alarm_channels = {"duty-book": {"notifier": "retail_site.DutyBook", "args": {"entry": "{{ subject }}"},
        "may_set": {"book": {"choices": ["day", "night"]}}}}

    airflow taskops alarms create --workflow sales_mart_daily --kind failed \\
        --channel '{"channel": "duty-book", "args": {"book": "night"}}'

The demo uses the first and the channel, and leaves the others unset, so that its folders are those of ``dags/``.

The first two are called for each task and each Dag that TaskOps takes into its index: they must be quick, must not ask
a database or a network, and get plain data only, so they can be tried in a Python shell.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseNotifier

# By the operator's class name; what is not named here goes by the rules of task_type().
TASK_TYPES = {
    "BashOperator": "Shell",
    "_BashDecoratedOperator": "Shell",
    "PythonOperator": "Python",
    "_PythonDecoratedOperator": "Python",
    "EmptyOperator": "Virtual node",
    "TriggerDagRunOperator": "Trigger",
    "ExternalTaskMarker": "Dependency marker",
}

# What people here call the top folders of ``dags/``.
FOLDERS = {
    "ingest": "1 Ingest",
    "warehouse": "2 Warehouse",
    "reports": "3 Reports",
    "ops": "9 Operations",
}


def task_type(task: dict[str, Any]) -> str:
    """Return the task type to show for a task.

    :param task: the task as the serialized Dag has it: ``task_id``, ``task_type`` (the operator's class name),
        ``_task_module`` (the module of that class) and whatever else of the task is not default.
    """
    operator = str(task.get("task_type", ""))
    if operator in TASK_TYPES:
        return TASK_TYPES[operator]
    if "Sensor" in operator:
        return "Sensor"
    if "Branch" in operator or "ShortCircuit" in operator:
        return "Branch"
    return operator.strip("_").removesuffix("Operator") or "Unknown"


def folder(bundle_name: str, relative_fileloc: str) -> str:
    """Return the folder to show for a Dag, levels separated by ``/``.

    :param bundle_name: the Dag bundle that the file is in.
    :param relative_fileloc: the Dag file's path inside the bundle.
    """
    *directories, _file = relative_fileloc.split("/")
    if directories:
        directories[0] = FOLDERS.get(directories[0], directories[0])
    return "/".join([bundle_name, *directories])


def owner_email(name: str) -> str | None:
    """Return the e-mail address of an owner or user whom Airflow's auth manager does not know; None: there is none.

    :param name: as TaskOps shows it.
    """
    return f"{name}@example.com" if name.isidentifier() else None


class DutyBook(BaseNotifier):
    """A channel of alarms: an entry in a book that people on duty read, here a line in the log.

    :param book: which book.
    :param entry: what is written; a template that may name ``subject``, ``text``, ``html`` and ``alarm``.
    """

    template_fields = ("entry",)

    def __init__(self, *, book: str = "day", entry: str = "{{ subject }}", **kwargs: Any):
        super().__init__(**kwargs)
        self.book = book
        self.entry = entry

    def notify(self, context: Any) -> None:
        """Write the entry. Whatever is raised here is told in `airflow taskops check`, and tried again."""
        self.log.warning("Duty book %s: %s", self.book, self.entry)


class RetailSitePlugin(AirflowPlugin):
    """Makes ``airflow plugins`` list this module; TaskOps needs the two functions only."""

    name = "retail_site"
