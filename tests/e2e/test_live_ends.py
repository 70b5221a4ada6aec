"""Nothing of a live Airflow stays behind."""

from __future__ import annotations

import psutil

from tests.support.live import LiveAirflow

LEAVE_ONE_BEHIND = """
import subprocess, sys
from subprocess import DEVNULL
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
print(subprocess.Popen(sleep, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True).pid)
"""


def test_what_outlives_its_component_is_ended_too(tmp_path):
    with LiveAirflow(tmp_path) as airflow:
        left = psutil.Process(int(airflow.python(LEAVE_ONE_BEHIND)))
        assert left.is_running()
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
