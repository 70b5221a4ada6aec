#!/usr/bin/env bash
# The tests, in three runs: everything on SQLite, the database tests on PostgreSQL where a server answers, and end to
# end last, because it is slow. Called by `make test`; PYTEST_ARGS reaches every run.
set -euo pipefail
cd "$(dirname "$0")/.."
read -ra extra <<< "${PYTEST_ARGS:-}"

# Print those of the folders that hold tests: pytest fails on a run that finds none.
with_tests() {
  local folder
  for folder in "$@"; do
    if [ -n "$(find "$folder" -name 'test_*.py' -print -quit 2> /dev/null)" ]; then echo "$folder"; fi
  done
}

# run TITLE "PYTEST FLAGS" FOLDER...
run() {
  echo "== $1"
  local flags
  read -ra flags <<< "$2"
  shift 2
  local folders
  mapfile -t folders < <(with_tests "$@")
  if [ ${#folders[@]} -eq 0 ]; then echo "no tests there yet" && return; fi
  .venv/bin/python -m pytest "${folders[@]}" ${flags[@]+"${flags[@]}"} ${extra[@]+"${extra[@]}"}
}

# The server that tests/support/database.py will use.
postgres_answers() {
  .venv/bin/python - <<'PYTHON'
import sys

import sqlalchemy
from tests.support.database import POSTGRES_SERVER

engine = sqlalchemy.create_engine(f"{POSTGRES_SERVER}/postgres", connect_args={"connect_timeout": 3})
try:
    engine.connect().close()
except sqlalchemy.exc.OperationalError as error:
    sys.exit(f"{engine.url.render_as_string()}: {error.orig}".splitlines()[0])
PYTHON
}

# every worker has a database of its own
run "SQLite" "-n 2 --dist worksteal" tests/unit tests/property tests/integration tests/contract tests/packaging

if reason=$(postgres_answers 2>&1); then
  TASKOPS_TEST_DB=postgresql run "PostgreSQL" "-n 2 --dist worksteal" tests/integration
elif [ "${TASKOPS_REQUIRE_ALL:-}" = 1 ]; then
  echo "no PostgreSQL server answers: $reason" >&2
  exit 1
else
  echo "== PostgreSQL: skipped, no server answers: $reason"
fi

# they wait for Airflow and the browser most of their time
run "end to end" "-n 2 --dist loadscope" tests/e2e
