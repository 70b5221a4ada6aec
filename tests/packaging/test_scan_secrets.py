"""The scanner of secrets finds keys by their shape, and none of the files of the package's source has one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def scan(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "scan_secrets.py"), *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_a_key_is_found_and_not_told(tmp_path):
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    (tmp_path / "leak.py").write_text(f'x = 1\nkey = "{key}"\n')
    found = scan(tmp_path / "leak.py")
    assert found.returncode == 1
    assert "leak.py:2: AWS Access Key" in found.stderr
    assert key not in found.stderr


def test_the_configuration_and_the_demo_have_none():
    assert scan(ROOT / "README.md", *(ROOT / "plugins").glob("*.py"), *(ROOT / "dags").glob("*.py")).returncode == 0
