"""How a command runs: its session, who acts, what errors become, the exit code."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps

from airflow.cli.utils import redirect_stdout_log_handlers_to_stderr
from airflow.utils import cli as cli_utils
from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded
from airflow.utils.session import create_session
from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.airflow_versions import MISSING_NAME, is_tried, unavailable
from taskops_provider.cli.text import say
from taskops_provider.exceptions import NotAllowed, OperationPlanChanged, TaskOpsError
from taskops_provider.inputs.problems import flag
from taskops_provider.services.health import require_tables
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

Handler = Callable[[Namespace], int | None]
Command = Callable[[Namespace], None]

EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class UsageError(TaskOpsError):
    """The arguments do not go together."""

    exit_code = 2


class Cancelled(TaskOpsError):
    """The person who was asked said no."""


@dataclass(frozen=True)
class Work:
    """What a command works with."""

    session: Session
    actor: Actor
    now: datetime


@contextmanager
def opened() -> Iterator[Work]:
    """Open a session for one use case; commit when it went well, else change nothing.

    :raises NotMigrated: when our tables are missing or old
    """
    with create_session(scoped=False) as session:
        require_tables(session)
        # what was read so far must not pin the snapshot that the use case sees
        session.rollback()
        yield Work(session, Actor(user_name(), "cli", UnrestrictedPermissions()), datetime.now(UTC))


def user_name() -> str:
    """Name the acting user: the operating system's, else the number of one without a name (in a container)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def reads(handler: Handler) -> Command:
    """Make a command of a handler that changes nothing."""
    return suppress_logs_and_warning(providers_configuration_loaded(_exits(handler)))


def changes(handler: Handler) -> Command:
    """Make a command of a handler that changes something: Airflow's audit log keeps the command line."""
    # check_db=False: our own check says what to do, and Airflow's would migrate or print to stdout
    command: Command = cli_utils.action_cli(check_db=False)(reads(_measured(handler)))
    return command


def serves(handler: Handler) -> Command:
    """Make a command of a handler that runs on and logs."""
    command: Command = cli_utils.action_cli(check_db=False)(providers_configuration_loaded(_exits(_measured(handler))))
    return command


def _measured(handler: Handler) -> Handler:
    @wraps(handler)
    def measured(args: Namespace) -> int | None:
        metrics.start()  # Airflow does so in its servers only
        return handler(args)

    return measured


def _exits(handler: Handler) -> Command:
    @wraps(handler)
    def command(args: Namespace) -> None:
        # stdout is for the answer
        redirect_stdout_log_handlers_to_stderr()
        code = _run(handler, args)
        if code:
            sys.exit(code)

    return command


def _as_flags(error: TaskOpsError) -> str:
    """The line of an error, with fields called as the command line has them."""
    return f"{flag((error.name,))} {error.problem}" if isinstance(error, NotAllowed) else str(error)


def _run(handler: Handler, args: Namespace) -> int:
    """Run a handler; errors meant for people become one line on stderr."""
    try:
        code = handler(args) or 0
        sys.stdout.flush()
        return code
    except TaskOpsError as error:
        say(f"{'usage error' if isinstance(error, UsageError) else 'error'}: {_as_flags(error)}")
        if isinstance(error, OperationPlanChanged):
            for change in error.targets:
                say(f"  {change}")
        return error.exit_code
    except MISSING_NAME as error:
        if is_tried():  # then it is a fault of ours
            raise
        say(f"error: {unavailable('this command', error)}")
        return 1
    except BrokenPipeError:
        # whoever read our output has enough (`| head`); keep Python from complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        say("interrupted")
        return EXIT_INTERRUPTED
