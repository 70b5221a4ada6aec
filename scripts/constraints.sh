#!/usr/bin/env bash
# Resolve everything that `make install` installs, anew, in a throw-away environment, and write down what came out.
# Airflow itself stays at AIRFLOW_VERSION. constraints.txt only changes when all of it worked.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT

"${PYTHON:-python3.11}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
# setuptools is upgraded because builds use the newest one, not the one that Python brings
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --upgrade-package setuptools \
  "apache-airflow==${AIRFLOW_VERSION:?}" '.[web,postgres,alarms]' --group dev

# Plain name==version lines only: no package of ours, no path, no address. pip comes with Python.
"$venv/bin/uv" pip freeze --quiet --python "$venv/bin/python" \
  | grep -E '^[A-Za-z0-9._-]+==[^ ]+$' \
  | grep -vE '^(pip|airflow-provider-taskops)==' > "$venv/constraints.txt"
grep -qx "apache-airflow==$AIRFLOW_VERSION" "$venv/constraints.txt"
mv "$venv/constraints.txt" constraints.txt
echo "constraints.txt: $(wc -l < constraints.txt) packages"
