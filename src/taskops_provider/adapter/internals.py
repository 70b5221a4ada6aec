"""What TaskOps uses of Airflow: modules, names in them, attributes of these. Written by its contract test.

Imports nothing, so that it can say what a version of Airflow lacks (``airflow taskops check``). What only some versions
have is used in ``adapter/compatibility.py`` and ``adapter/loops.py`` alone, and is not listed.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

INTERNALS: dict[str, tuple[str, ...]] = {
    "airflow": (
        "__version__",
        "policies",
        "policies.hookimpl",
        "policies.task_instance_mutation_hook",
        "settings",
        "settings.SQL_ALCHEMY_CONN",
        "settings.TIMEZONE",
        "settings.get_engine",
        "settings.get_policy_plugin_manager",
        "settings.task_instance_mutation_hook",
    ),
    "airflow._shared.module_loading": ("import_string",),
    "airflow._shared.timezones.timezone": ("coerce_datetime",),
    "airflow.api_fastapi.app": (
        "API_ROOT_PATH",
        "create_auth_manager",
        "get_auth_manager",
        "get_auth_manager_cls",
    ),
    "airflow.api_fastapi.auth.managers.base_auth_manager": ("COOKIE_NAME_JWT_TOKEN",),
    "airflow.api_fastapi.auth.managers.models.resource_details": (
        "AccessView",
        "AccessView.JOBS",
        "ConfigurationDetails",
        "DagAccessEntity",
        "DagAccessEntity.DEPENDENCIES",
        "DagAccessEntity.RUN",
        "DagAccessEntity.TASK",
        "DagAccessEntity.TASK_INSTANCE",
        "DagAccessEntity.VERSION",
        "DagDetails",
    ),
    "airflow.api_fastapi.common.db.common": ("SessionDep",),
    "airflow.api_fastapi.core_api.security": (
        "GetUserDep",
        "get_user",
        "resolve_user_from_token",
    ),
    "airflow.api_fastapi.core_api.services.public": (
        "task_instances",
        "task_instances._clear_task_state_store_on_success",
        "task_instances._emit_state_listener_hooks",
    ),
    "airflow.cli.cli_config": (
        "ARG_OUTPUT",
        "ARG_VERBOSE",
        "ActionCommand",
        "Arg",
        "CLICommand",
        "GroupCommand",
    ),
    "airflow.cli.utils": ("redirect_stdout_log_handlers_to_stderr",),
    "airflow.configuration": (
        "conf",
        "conf.get",
        "conf.getboolean",
        "conf.getfloat",
        "conf.getint",
    ),
    "airflow.exceptions": (
        "AirflowProviderDeprecationWarning",
        "ParamValidationError",
        "TaskNotFound",
    ),
    "airflow.jobs.job": (
        "Job",
        "Job.hostname",
        "Job.id",
        "Job.job_type",
        "Job.latest_heartbeat",
        "Job.state",
        "JobState",
        "JobState.RUNNING",
        "most_recent_job",
    ),
    "airflow.listeners": ("hookimpl",),
    "airflow.models.asset": (
        "AssetActive",
        "AssetActive.name",
        "AssetActive.uri",
        "AssetDagRunQueue",
        "AssetDagRunQueue.asset_id",
        "AssetDagRunQueue.target_dag_id",
        "AssetModel",
        "AssetModel.id",
        "AssetModel.uri",
        "DagScheduleAssetReference",
        "DagScheduleAssetReference.asset_id",
        "DagScheduleAssetReference.dag_id",
    ),
    "airflow.models.backfill": (
        "Backfill",
        "Backfill.completed_at",
        "Backfill.dag_id",
        "Backfill.id",
        "Backfill.is_paused",
        "Backfill.max_active_runs",
        "Backfill.updated_at",
        "BackfillDagRun",
        "BackfillDagRun.backfill_id",
        "BackfillDagRun.dag_run_id",
        "BackfillDagRun.sort_ordinal",
        "ReprocessBehavior",
        "ReprocessBehavior.NONE",
        "_create_backfill_dag_run_non_partitioned",
    ),
    "airflow.models.base": ("StringID",),
    "airflow.models.connection": (
        "Connection",
        "Connection.conn_id",
        "Connection.conn_type",
    ),
    "airflow.models.dag": (
        "DagModel",
        "DagModel.__table__",
        "DagModel.bundle_name",
        "DagModel.bundle_version",
        "DagModel.dag_id",
        "DagModel.exceeds_max_non_backfill",
        "DagModel.get_dag_id_to_team_name_mapping",
        "DagModel.get_team_name",
        "DagModel.has_import_errors",
        "DagModel.is_paused",
        "DagModel.is_stale",
        "DagModel.last_parsed_time",
        "DagModel.max_active_runs",
        "DagModel.max_active_tasks",
        "DagModel.next_dagrun",
        "DagModel.next_dagrun_create_after",
        "DagModel.relative_fileloc",
        "DagModel.timetable_summary",
        "DagModel.timetable_type",
        "DagTag",
        "DagTag.dag_id",
        "DagTag.name",
    ),
    "airflow.models.dag_version": (
        "DagVersion",
        "DagVersion.created_at",
        "DagVersion.dag_id",
        "DagVersion.id",
        "DagVersion.version_number",
    ),
    "airflow.models.dagbag": ("DBDagBag",),
    "airflow.models.dagbundle": (
        "DagBundleModel",
        "DagBundleModel.name",
        "DagBundleModel.signed_url_template",
    ),
    "airflow.models.dagcode": (
        "DagCode",
        "DagCode.code",
    ),
    "airflow.models.dagrun": (
        "DagRun",
        "DagRun.backfill_id",
        "DagRun.clear_number",
        "DagRun.created_at",
        "DagRun.creating_job_id",
        "DagRun.dag_id",
        "DagRun.data_interval_end",
        "DagRun.data_interval_start",
        "DagRun.end_date",
        "DagRun.get_previous_dagrun",
        "DagRun.get_previous_scheduled_dagrun",
        "DagRun.id",
        "DagRun.last_scheduling_decision",
        "DagRun.logical_date",
        "DagRun.run_after",
        "DagRun.run_id",
        "DagRun.run_type",
        "DagRun.start_date",
        "DagRun.state",
        "DagRun.triggered_by",
        "DagRun.updated_at",
    ),
    "airflow.models.log": (
        "Log",
        "Log.__table__",
    ),
    "airflow.models.pool": (
        "Pool",
        "Pool.DEFAULT_POOL_NAME",
        "Pool.description",
        "Pool.include_deferred",
        "Pool.pool",
        "Pool.slots",
    ),
    "airflow.models.serialized_dag": (
        "SerializedDagModel",
        "SerializedDagModel._data",
        "SerializedDagModel._data_compressed",
        "SerializedDagModel.created_at",
        "SerializedDagModel.dag_hash",
        "SerializedDagModel.dag_id",
        "SerializedDagModel.dag_version_id",
        "SerializedDagModel.get",
        "SerializedDagModel.last_updated",
    ),
    "airflow.models.taskinstance": (
        "TaskInstance",
        "TaskInstance.__table__",
        "TaskInstance.dag_id",
        "TaskInstance.dag_run",
        "TaskInstance.duration",
        "TaskInstance.duration_expression_update",
        "TaskInstance.end_date",
        "TaskInstance.id",
        "TaskInstance.map_index",
        "TaskInstance.max_tries",
        "TaskInstance.next_method",
        "TaskInstance.pool",
        "TaskInstance.priority_weight",
        "TaskInstance.retry_delay_override",
        "TaskInstance.retry_reason",
        "TaskInstance.run_id",
        "TaskInstance.start_date",
        "TaskInstance.state",
        "TaskInstance.task_id",
        "TaskInstance.try_number",
        "TaskInstance.updated_at",
        "TaskInstanceNote",
        "TaskInstanceNote.content",
        "TaskInstanceNote.ti_id",
        "TaskInstanceNote.user_id",
        "clear_task_instances",
        "new_task_run_carrier",
    ),
    "airflow.models.taskreschedule": (
        "TaskReschedule",
        "TaskReschedule.id",
        "TaskReschedule.reschedule_date",
        "TaskReschedule.ti_id",
    ),
    "airflow.models.team": (
        "Team",
        "Team.get_all_team_names",
        "dag_bundle_team_association_table",
    ),
    "airflow.models.trigger": (
        "Trigger",
        "Trigger.classpath",
        "Trigger.id",
    ),
    "airflow.observability": ("stats",),
    "airflow.observability.metrics": (
        "stats_utils",
        "stats_utils.get_stats_factory",
    ),
    "airflow.plugins_manager": ("AirflowPlugin",),
    "airflow.policies": ("DefaultPolicy",),
    "airflow.providers.fab.auth_manager.models": (
        "User",
        "User.active",
        "User.username",
    ),
    "airflow.providers.smtp.notifications.smtp": ("SmtpNotifier",),
    "airflow.sdk": (
        "BaseHook",
        "BaseOperator",
        "BaseOperatorLink",
        "BaseSensorOperator",
        "ObjectStoragePath",
        "PokeReturnValue",
        "conf",
        "conf.get",
        "conf.getboolean",
        "timezone",
        "timezone.convert_to_utc",
    ),
    "airflow.sdk.bases.hook": (
        "BaseHook",
        "BaseHook.get_connection",
    ),
    "airflow.sdk.bases.notifier": ("BaseNotifier",),
    "airflow.sdk.exceptions": (
        "AirflowException",
        "AirflowFailException",
    ),
    "airflow.sdk.log": (
        "amask_secret",
        "mask_secret",
        "redact",
    ),
    "airflow.sdk.module_loading": ("import_string",),
    "airflow.serialization.definitions.dag": ("SerializedDAG",),
    "airflow.ti_deps.dep_context": ("DepContext",),
    "airflow.ti_deps.dependencies_states": ("EXECUTION_STATES",),
    "airflow.ti_deps.deps.base_ti_dep": (
        "BaseTIDep",
        "BaseTIDep.get_dep_statuses",
    ),
    "airflow.ti_deps.deps.exec_date_after_start_date_dep": ("ExecDateAfterStartDateDep",),
    "airflow.ti_deps.deps.pool_slots_available_dep": ("PoolSlotsAvailableDep",),
    "airflow.ti_deps.deps.prev_dagrun_dep": ("PrevDagrunDep",),
    "airflow.ti_deps.deps.task_concurrency_dep": ("TaskConcurrencyDep",),
    "airflow.timetables.assets": ("AssetOrTimeSchedule",),
    "airflow.timetables.base": (
        "DagRunInfo",
        "DataInterval",
        "TimeRestriction",
    ),
    "airflow.timetables.events": ("EventsTimetable",),
    "airflow.timetables.interval": (
        "CronDataIntervalTimetable",
        "DeltaDataIntervalTimetable",
    ),
    "airflow.timetables.trigger": (
        "CronTriggerTimetable",
        "DeltaTriggerTimetable",
        "MultipleCronTriggerTimetable",
    ),
    "airflow.triggers.base": (
        "BaseTrigger",
        "TriggerEvent",
    ),
    "airflow.utils": (
        "cli",
        "cli.action_cli",
        "yaml",
        "yaml.dump",
    ),
    "airflow.utils.cli": ("suppress_logs_and_warning",),
    "airflow.utils.db_manager": ("BaseDBManager",),
    "airflow.utils.providers_configuration_loader": ("providers_configuration_loaded",),
    "airflow.utils.retries": ("run_with_db_retries",),
    "airflow.utils.session": ("create_session",),
    "airflow.utils.sqlalchemy": (
        "UtcDateTime",
        "with_row_locks",
    ),
    "airflow.utils.state": (
        "DagRunState",
        "DagRunState.FAILED",
        "DagRunState.QUEUED",
        "DagRunState.RUNNING",
        "DagRunState.SUCCESS",
        "State",
        "State.finished",
        "State.finished_dr_states",
        "State.unfinished",
        "TaskInstanceState",
        "TaskInstanceState.AWAITING_INPUT",
        "TaskInstanceState.DEFERRED",
        "TaskInstanceState.FAILED",
        "TaskInstanceState.QUEUED",
        "TaskInstanceState.REMOVED",
        "TaskInstanceState.RESTARTING",
        "TaskInstanceState.RUNNING",
        "TaskInstanceState.SCHEDULED",
        "TaskInstanceState.SKIPPED",
        "TaskInstanceState.SUCCESS",
        "TaskInstanceState.UPSTREAM_FAILED",
        "TaskInstanceState.UP_FOR_RESCHEDULE",
        "TaskInstanceState.UP_FOR_RETRY",
    ),
    "airflow.utils.types": (
        "DagRunTriggeredByType",
        "DagRunTriggeredByType.TEST",
        "DagRunType",
        "DagRunType.ASSET_TRIGGERED",
        "DagRunType.BACKFILL_JOB",
        "DagRunType.MANUAL",
        "DagRunType.OPERATOR_TRIGGERED",
        "DagRunType.SCHEDULED",
    ),
}


def missing_internals() -> list[str]:
    """Return what this version of Airflow lacks of it, as dotted names. Imports all the modules: takes seconds."""
    missing = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's modules warn of is no answer
        for module_name, names in sorted(INTERNALS.items()):
            try:
                module = import_module(module_name)
            except Exception:  # it may raise anything, for a setting that it no longer has, say
                missing.append(module_name)
                continue
            missing += [f"{module_name}.{name}" for name in names if not _has(module, name)]
    return missing


def _has(module: Any, name: str) -> bool:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            return _is_module(f"{module.__name__}.{name}")
        found = getattr(found, part)
    return True


def _is_module(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
