"""``kill -9`` of a real monitor in a burst of 200 firings: none lost, none doubled, one uncertain at most (B16)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from taskops_provider.models import Lease
from tests.support.alarming import alarms, deliveries, rule
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.warehouse import chain, install

BURST = 200


def wait_for(condition, what, seconds: float = 120, every: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(every)


@pytest.mark.slow
def test_killed_in_a_burst(session, tmp_path):
    install(session, [chain("d", "a")])
    rule(session, "d.a")
    write_runs(session, "d", ["a"], range(BURST), state="running")
    _fail_all(session)
    with MailServer(delay=0.02) as server:
        env = {
            **os.environ,
            "AIRFLOW_CONN_SMTP_DEFAULT": server.uri,
            "AIRFLOW__TASKOPS__MONITOR_INTERVAL": "0.5",
        }
        monitor = _start(env, tmp_path)
        try:
            wait_for(lambda: len(server.mails) >= BURST // 4, (tmp_path / "monitor.log").read_text)
        finally:
            os.kill(monitor.pid, signal.SIGKILL)
            monitor.wait()
        before = Counter(one.state for one in deliveries(session))
        assert before["waiting"] > 10, before
        assert before["sending"] <= 1, before
        # as if the time that its leases last had passed
        past = datetime.now(UTC) - timedelta(minutes=5)
        session.query(Lease).update({"expires_at": past})
        for one in deliveries(session):
            if one.state == "sending":
                one.sending_since = past
        session.commit()
        monitor = _start(env, tmp_path)
        try:
            done = {"sent", "uncertain"}
            wait_for(
                lambda: {one.state for one in deliveries(session)} <= done,
                lambda: str(Counter(one.state for one in deliveries(session))),
                every=0.2,
            )
        finally:
            monitor.terminate()
            monitor.wait(30)
    assert len(alarms(session)) == BURST
    after = Counter(one.state for one in deliveries(session))
    assert after["uncertain"] <= 1, after
    assert after["sent"] + after["uncertain"] == BURST
    arrived = Counter(mail.delivery for mail in server.mails)
    assert set(arrived.values()) == {1}
    uncertain = {one.id for one in deliveries(session) if one.state == "uncertain"}
    assert set(arrived) | uncertain == {one.id for one in deliveries(session)}


def _fail_all(session) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance as TI
    from sqlalchemy import update

    now = datetime.now(UTC)
    session.execute(update(TI).values(state="failed", end_date=now, updated_at=now))
    session.execute(update(DagRun).values(updated_at=now))
    session.commit()


def _start(env: dict[str, str], tmp_path) -> subprocess.Popen:
    with (tmp_path / "monitor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", "taskops", "monitor"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
