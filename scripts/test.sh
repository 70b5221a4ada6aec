#!/usr/bin/env bash
# The tests: the front end's units, everything on SQLite, then the database tests on PostgreSQL where a server answers;
# beside these end to end, which wait for Airflow and the browser most of their time. Called by `make test`; PYTEST_ARGS
# reaches every run of pytest. In the end a table says what each took.
#
# scripts/test.sh quick: the unit and property tests, and of the integration tests those that are quick.
set -uo pipefail
cd "$(dirname "$0")/.."
read -ra extra <<< "${PYTEST_ARGS:-}"
# the tests start some hundred Pythons, each of which would compile Airflow anew
export PYTHONDONTWRITEBYTECODE=

notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT
trap 'trap - INT TERM; kill 0' INT TERM

# part TITLE PYTEST-ARGUMENT...: run tests.
part() {
  step "$1" .venv/bin/python -m pytest "${@:2}" ${extra[@]+"${extra[@]}"}
}

# step TITLE COMMAND...: run a command, and note what that took and whether all went well.
step() {
  local title=$1 began=$EPOCHSECONDS outcome=passed cpu
  shift
  echo "== $title"
  (
    "$@"
    status=$?
    times > "$notes/times of $title"
    exit $status
  ) || outcome=FAILED
  cpu=$(tail -1 "$notes/times of $title" | tr 'ms' '  ' | awk '{ printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }')
  printf '%s|%s|%s|%s\n' "$title" "$((EPOCHSECONDS - began))" "$cpu" "$outcome" >> "$notes/table"
}

# Print the table; fail where a part did.
conclude() {
  { echo "part|seconds|CPU seconds|outcome"; cat "$notes/table"; } |
    awk -F '|' '{ printf "%-22s %8s %12s  %s\n", $1, $2, $3, $4 }'
  ! grep -q '|FAILED$' "$notes/table"
}

# Play histories, whatever they find.
play() {
  .venv/bin/python -m tests.simulation "$@" || echo "NEW SEEDS FOUND SOMETHING: see above"
}

# The server that tests/support/database.py will use.
postgres_answers() {
  .venv/bin/python - << 'PYTHON'
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

if [ "${1:-}" = quick ]; then
  part "quick" tests/unit tests/property tests/integration --quick -n 2 --dist worksteal
  conclude
  exit
fi

if ! reason=$(postgres_answers 2>&1); then
  if [ "${TASKOPS_REQUIRE_ALL:-}" = 1 ]; then
    echo "no PostgreSQL server answers: $reason" >&2
    exit 1
  fi
  echo "== PostgreSQL: skipped, no server answers: $reason"
fi

# in the order of their names: those that wait longest, for a running Airflow, come first
part "end to end" tests/e2e -n 2 --dist loadscope --no-loadscope-reorder > "$notes/end to end" 2>&1 &

step "front end" .venv/bin/python hatch_build.py test
# every worker has a database of its own; test_simulation.py, which plays new histories, is asked for by name
own=(-n 2 --dist worksteal --ignore=tests/simulation/test_simulation.py)
part "SQLite" tests/unit tests/property tests/integration tests/simulation tests/contract tests/packaging "${own[@]}"
if [ -z "$reason" ]; then
  TASKOPS_TEST_DB=postgresql part "PostgreSQL" tests/integration tests/simulation "${own[@]}"
fi

# histories that nobody has played yet: what they find need not be about the change at hand, so they say their seeds and
# what they found, and fail nothing; a seed that found something becomes a script in tests/simulation/scripts
if [ "${TASKOPS_REQUIRE_ALL:-}" = 1 ]; then
  for db in sqlite postgresql; do
    step "simulation, $db" play --histories 150 --jobs 2 --db "$db"
  done
fi

echo "== end to end runs; what it says follows"
wait
cat "$notes/end to end"
conclude
