"""What ``airflow taskops`` is asked: for every command, what people type and what it refuses."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One command line, without ``airflow taskops``.

    :param stdin: what is piped in
    :param answers: what a person types instead, at a terminal
    :param before: another one that is run first, and not recorded
    :param hours: so much later than the others, when no monitor is there any more
    """

    line: str
    stdin: str = ""
    answers: str | None = None
    before: str = ""
    hours: int = 0

    @property
    def words(self) -> list[str]:
        """As the shell hands them over."""
        return shlex.split(self.line)


def formats(line: str, *names: str) -> tuple[Run, ...]:
    """One question in several forms."""
    return tuple(Run(f"{line} --output {name}") for name in names)


_ALL = ("table", "json", "yaml", "plain")
_NIGHT = (
    "windows create --name night --kind pause --workflow orders --from +1h --to +9h --reason backup "
    "--downstream-effect hold"
)
_TASK = "--task ledger close --range 2026-02-08 2026-02-09"

CASES: dict[str, tuple[Run, ...]] = {
    "workflows list": (
        *formats("workflows list", *_ALL),
        Run("workflows list --status all_offline --owner airflow --order-by=-last_submitted_at --limit 1"),
        Run("workflows list --search nothing"),
        Run("workflows list --deleted --absent --folder dags-folder --output json"),
        Run("workflows list --status on_fire"),
        Run("workflows list --order-by colour"),
    ),
    "workflows show": (
        *formats("workflows show stock", "table", "json", "yaml"),
        Run("workflows show ledger --output plain"),
        Run("workflows show nothing"),
        Run("workflows show"),
    ),
    "workflows diagram": (
        *formats("workflows diagram orders", "text", "json", "dot"),
        Run("workflows diagram nothing"),
    ),
    "workflows start": (
        Run("workflows start stock ledger --dry-run"),
        Run("workflows start stock ledger --output json"),
        Run("workflows start nothing"),
    ),
    "workflows pause": (
        Run("workflows pause orders report --downstream-effect fail --reason late", answers="y\n"),
        Run("workflows pause orders", answers="n\n"),
        Run("workflows pause --all-matching --period hour --dry-run --output json"),
        Run("workflows pause --all-matching"),
        Run("workflows pause --file -", stdin="orders\n# a remark\n\nmart\n"),
        Run("workflows pause"),
    ),
    "workflows offline": (
        Run("workflows offline mart gone --downstream-effect skip --yes"),
        Run("workflows offline ledger --cascade --dry-run", before="strict-mode on"),
        Run("workflows offline orders", before="strict-mode on"),
    ),
    "workflows delete": (
        Run("workflows delete report --downstream-effect run --yes --output json"),
        Run("workflows delete orders --downstream-effect run --yes"),
        Run("workflows delete report --yes"),
    ),
    "workflows submit": (Run("workflows submit report --reason again"),),
    "workflows set-owners": (
        Run("workflows set-owners ledger --owner erik --owners eve,bob --output json"),
        Run("workflows set-owners ledger"),
    ),
    "tasks list": (
        *formats("tasks list", *_ALL),
        Run("tasks list --status paused --dag-id orders --output json"),
        Run("tasks list --workflow-like s --type ExternalTaskSensor --target-table sales"),
        Run("tasks list --search nothing"),
        Run("tasks list --period fortnight"),
        Run("tasks list --limit many"),
    ),
    "tasks show": (
        *formats("tasks show orders load", "table", "json", "yaml"),
        Run("tasks show report send"),
        Run("tasks show sales sum"),
        Run("tasks show orders nothing"),
    ),
    "tasks instances": (
        *formats("tasks instances ledger match", "table", "json"),
        Run("tasks instances ledger match --state failed --state skipped --limit 1 --output plain"),
        Run("tasks instances ledger match --state on_fire"),
        Run("tasks instances orders nothing"),
    ),
    "tasks lineage": (
        *formats("tasks lineage sales sum --depth 5", "table", "json"),
        Run("tasks lineage sales sum --direction upstream"),
        Run("tasks lineage orders extract --downstream --depth 1"),
        Run("tasks lineage sales sum --depth 0"),
        Run("tasks lineage orders nothing"),
    ),
    "tasks export": (
        *formats("tasks export --dag-id orders", "csv", "json"),
        Run("tasks export --search nothing"),
        Run("tasks export --to /nowhere/tasks.csv"),
    ),
    "tasks start": (
        Run("tasks start orders load --held skip --fill-gap --output json"),
        Run("tasks start orders load clean --dry-run"),
        Run("tasks start orders load", answers="y\n"),
    ),
    "tasks pause": (
        Run("tasks pause orders clean load --downstream-effect run --resume-at +2h --reason late --ticket OPS-1"),
        Run("tasks pause orders clean --terminate-instances --notify-owners --dry-run"),
        Run("tasks pause orders clean --dry-run --output json"),
        Run("tasks pause orders clean --resume-at 2026-01-01"),
        Run("tasks pause orders clean --resume-at tomorrow"),
        Run("tasks pause orders clean --downstream-effect explode"),
        # the word of earlier versions
        Run("tasks pause orders clean --downstream run --dry-run"),
        Run("tasks pause orders clean --plan-hash 22.0123456789012345678901234567890123456789"),
        Run("tasks pause orders clean --plan-hash rubbish"),
        Run("tasks pause orders nothing"),
        Run("tasks pause orders"),
        Run("tasks pause --file - --yes", stdin="orders clean\nsales sum\n"),
        Run("tasks pause --file - --yes", stdin="orders\n"),
        Run("tasks pause --file /nowhere"),
        Run("tasks pause orders clean --all-matching"),
        Run("tasks pause --all-matching --owner ann --dry-run --output json"),
    ),
    "tasks offline": (
        Run("tasks offline orders extract load --downstream-effect skip --terminate-instances --output json"),
        Run("tasks offline orders extract load --downstream-effect skip", before="strict-mode on"),
        Run("tasks offline ledger match close --cascade --output json", before="strict-mode on"),
        Run("tasks offline orders extract --downstream-effect hold"),
    ),
    "tasks delete": (
        Run("tasks delete report render --downstream-effect fail --yes"),
        Run("tasks delete report render", answers="y\n"),
    ),
    "tasks submit": (Run("tasks submit report render send --output json"),),
    "tasks set-owners": (
        Run("tasks set-owners orders load --owners lena@example.com,bob --notify-owners --output json"),
        Run("tasks set-owners --all-matching --owned-by bob --owner ann --dry-run"),
    ),
    "replenish plan": (
        *formats(f"replenish plan {_TASK} --grid", "table", "json"),
        Run("replenish plan --workflow stock --range 2026-01-01 2026-02-09 --output plain"),
        Run(
            "replenish plan --task orders load --upstream-depth 1 --downstream-depth 1 --cells all "
            "--range 2026-02-08T23:00 2026-02-09T02:00 --grid"
        ),
        # the words of earlier versions
        Run(f"replenish plan {_TASK} --upstream 1 --downstream-tasks 1"),
        Run("replenish plan --workflow ledger"),
        Run("replenish plan --workflow ledger --range 2026-02-02 2026-02-01"),
        Run("replenish plan --workflow ledger --range yesterday today"),
        Run("replenish plan --workflow ledger --range 2026-02-01 2026-02-02 --cells some"),
        Run("replenish plan --workflow nothing --range 2026-02-01 2026-02-02"),
        Run("replenish plan --range 2026-02-01 2026-02-02"),
    ),
    "replenish create": (
        Run(
            "replenish create --workflow stock --range 2026-01-01 2026-02-09 --max-active-runs 3 --newest-first "
            '--window 22:00-06:00 --conf \'{"full": true}\' --name "stock again" --reason late --output json'
        ),
        Run(f"replenish create {_TASK}", answers="y\n"),
        Run(f"replenish create {_TASK}", answers="n\n"),
        Run(f"replenish create {_TASK} --cells all --if-busy refuse"),
        Run(f"replenish create {_TASK} --if-busy explode"),
        # the word of earlier versions
        Run(f"replenish create {_TASK} --cells all --no-wait"),
        Run(f"replenish create {_TASK} --conf full"),
        Run(f"replenish create {_TASK} --window night"),
        Run("replenish create --task ledger post --range 2026-01-31 2026-02-01"),
    ),
    "replenish list": (
        *formats("replenish list", "table", "json"),
        Run("replenish list --state paused --actor admin --dag-id ledger --output yaml"),
        Run("replenish list --name repair --since=-24h --until 2026-02-10T08:00 --order-by created_at"),
        Run("replenish list --name nothing"),
        Run("replenish list --state on_fire"),
        Run("replenish list --since never"),
    ),
    "replenish show": (
        *formats("replenish show 1", "table", "json"),
        Run("replenish show 3"),
        # the words of earlier versions
        Run("replenish show 1 --cells --limit 4"),
        Run("replenish show 1 --state failed"),
        Run("replenish show 999"),
        Run("replenish show first"),
    ),
    "replenish cells": (
        *formats("replenish cells 1 --limit 4 --offset 1", "table", "json"),
        Run("replenish cells 1 --state failed --dag-id ledger --output plain"),
        Run("replenish cells 1 --state on_fire"),
        Run("replenish cells 1 --dag-id nothing"),
        Run("replenish cells 999"),
    ),
    "instances rerun": (
        Run("instances rerun ledger match run_0036 run_0035 --with-downstream everywhere --dry-run"),
        Run("instances rerun ledger match run_0036 --with-downstream workflow --reason again --output json"),
        Run("instances rerun ledger match nothing"),
    ),
    "instances force": (Run("instances force ledger match run_0036 --output json"),),
    "instances hold": (Run("instances hold ledger match run_0036"), Run("instances hold ledger nothing run_0036")),
    "instances release": (Run("instances release ledger match run_0036"),),
    "instances terminate": (Run("instances terminate ledger match run_0036"),),
    "instances set-success": (Run("instances set-success ledger match run_0036 --output plain"),),
    "instances set-failed": (Run("instances set-failed ledger match run_0036 --ticket OPS-1"),),
    "instances held": (*formats("instances held", "table", "json"), Run("instances held --dag-id nothing")),
    "runs hold": (Run("runs hold ledger run_0036 --output json"), Run("runs hold ledger nothing")),
    "runs release": (Run("runs release ledger run_0036"),),
    "replenish pause": (Run("replenish pause 1 --reason busy"), Run("replenish pause 3")),
    "replenish resume": (Run("replenish resume 2 --output json"), Run("replenish resume 1")),
    "replenish cancel": (Run("replenish cancel 1"), Run("replenish cancel 1 --terminate-instances --output json")),
    "replenish retry": (Run("replenish retry 3"), Run("replenish retry 1")),
    "alarms list": (
        *formats("alarms list", "table", "json", "plain"),
        Run("alarms list --dag-id orders --kind failed --search must --output yaml"),
        Run("alarms list --project nothing"),
        Run("alarms list --kind exploded"),
    ),
    "alarms create": (
        Run("alarms create --task orders clean --kind failed --owners --level 2 --on first_failure"),
        Run(
            "alarms create --workflow sales --kind not_finished_by --by 08:00 --zone Europe/Berlin --days 1 "
            "--address ops@example.com --user carol --channel email --channel chat "
            "--quiet-hours 22:00-07:00 --quiet-zone Europe/Berlin --quiet-except-level 3 --repeat-minutes 15 "
            "--repeat-max 2 --escalate-after 30 --escalate-to boss@example.com --disable --name slow --output json"
        ),
        Run("alarms create --project dags-folder --kind running_longer_than --percent 50 --last 20 --owners"),
        Run("alarms create --task orders clean --kind failed"),
        Run("alarms create --task orders clean --owners"),
        Run("alarms create --kind failed --owners"),
        Run("alarms create --task orders nothing --kind failed --owners"),
        Run("alarms create --task orders clean --kind failed --owners --by 08:00"),
        Run("alarms create --task orders clean --kind failed --owners --channel pigeon"),
        Run("alarms create --task orders clean --kind failed --owners --quiet-hours night"),
        Run("alarms create --task orders clean --kind failed --owners --enable --disable"),
    ),
    "alarms update": (
        Run("alarms update 1 --quiet-hours none --repeat-minutes 0 --escalate-after 0 --level 1"),
        Run("alarms update 2 --disable --output json"),
        Run("alarms update 2"),
        Run("alarms update 2 --level 4"),
        Run("alarms update 999 --level 1"),
    ),
    "alarms delete": (Run("alarms delete 1"), Run("alarms delete 999")),
    "alarms events": (
        *formats("alarms events", "table", "json"),
        Run("alarms events --unacknowledged --since=-1d --level 1 --rule 5 --output plain"),
        Run("alarms events --open --since=-1d --level 1 --rule 5 --output plain"),
        Run("alarms events --kind exploded"),
    ),
    "alarms acknowledge": (
        Run("alarms acknowledge 2 3"),
        Run("alarms acknowledge 1 --output json"),
        Run("alarms acknowledge 2 999"),
    ),
    "alarms confirm": (
        Run("alarms confirm 2 3"),
        Run("alarms confirm 1 --output json"),
        Run("alarms confirm 2 999"),
    ),
    "alarms test": (Run("alarms test 3"), Run("alarms test 1 --output json"), Run("alarms test 999")),
    "windows list": (
        Run("windows list", before=_NIGHT),
        Run("windows list --kind freeze --output json", before=_NIGHT),
        Run("windows list --kind melt"),
    ),
    "windows show": (Run("windows show 1", before=_NIGHT), Run("windows show 999")),
    "windows create": (
        Run(_NIGHT),
        Run("windows create --name close --kind freeze --project dags-folder --from +1h --to +3h --output json"),
        Run("windows create --kind freeze --everything --from +1h --to +3h"),
        Run("windows create --name n --kind freeze --everything --from +3h --to +1h"),
        Run("windows create --name n --kind freeze --everything --cron often --duration 1h"),
    ),
    "windows update": (
        Run("windows update 1 --disable", before=_NIGHT),
        Run("windows update 1", before=_NIGHT),
        Run("windows update 999 --disable"),
    ),
    "windows delete": (Run("windows delete 1", before=_NIGHT), Run("windows delete 999")),
    "windows preview": (
        Run("windows preview --window 1 --occurrences 1", before=_NIGHT),
        Run("windows preview --window 1 --occurrences 1 --output json", before=_NIGHT),
    ),
    "windows import": (
        Run("windows import -", stdin="nothing"),
        Run("windows import nothing.ics"),
    ),
    "windows export": (Run("windows export", before=_NIGHT),),
    "windows skip-next": (
        Run("windows skip-next --task orders clean --cycles 2"),
        Run("windows skip-next --workflow report"),
        Run("windows skip-next"),
    ),
    "windows hold-all": (Run("windows hold-all --project dags-folder --reason outage"),),
    "windows release-all": (
        Run("windows release-all --wave 2 --every 5 --output json", before="windows hold-all"),
        Run("windows release-all"),
    ),
    "operations list": (
        *formats("operations list", "table", "json"),
        Run("operations list --verb pause --actor bob --source api --outcome success --output yaml"),
        Run("operations list --dag-id orders --task-id load --since=-24h --order-by operation_id --limit 1 --offset 1"),
        Run(
            "operations list --ticket OPS-42 --workflow-like ord --task-like cle --until 2026-02-10T05:00 "
            "--output plain"
        ),
        Run("operations list --verb explode"),
        Run("operations list --order-by colour"),
    ),
    "operations show": (
        *formats("operations show 5", "table", "json"),
        Run("operations show 1"),
        Run("operations show 9"),
        Run("operations show 12"),
        Run("operations show 17"),
        Run("operations show 21 --output yaml"),
        Run("operations show 999"),
    ),
    "operations undo": (
        Run("operations undo 3 --dry-run"),
        Run("operations undo 4 --output json"),
        Run("operations undo 6", answers="y\n"),
        Run("operations undo 1"),
        Run("operations undo 20"),
        Run("operations undo 999"),
    ),
    "strict-mode show": (
        *formats("strict-mode show", *_ALL),
        Run("strict-mode show --project nothing"),
    ),
    "strict-mode on": (Run("strict-mode on"), Run("strict-mode on --project nothing")),
    "strict-mode off": (Run("strict-mode off --project dags-folder --output json"),),
    "sync": (Run("sync"), Run("sync --output json")),
    "monitor": (
        Run("monitor --once"),
        Run("monitor --once", hours=2),
        # what was paused until then starts, a deadline has passed
        Run("monitor --once", hours=50),
    ),
    "check": (*formats("check", "table", "json"),),
    "uninstall": (*formats("uninstall --dry-run", "table", "json"),),
}
