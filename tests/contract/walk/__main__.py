"""``python -m tests.contract.walk``: plant holes one after the other, and name those that the walk does not see.

At one place in the code where TaskOps asks for a permission the answer is yes. Each is asked with the requests alone
that reach it. It takes an hour; ``PLACES=services/alarms`` takes the places with that in their names.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Prepare the process, walk once to see what reaches what, then plant."""
    os.environ["TASKOPS_TEST_DB"] = "sqlite"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from tests.support import database

    database.prepare()
    from tests.contract.walk.plant import Holes
    from tests.contract.walk.test_walk import differences, walking

    wanted, unseen, tried = os.environ.get("PLACES", ""), [], 0
    holes = Holes()
    with walking("fab") as walk, holes.watched():
        walk.wants = holes.record
        if found := list(differences(walk)):
            sys.stdout.write("the walk fails as it is:\n" + "\n".join(found) + "\n")
            return 1
        for place in sorted(holes.reached):
            if wanted not in place:
                continue
            tried += 1
            with holes.opened(place) as walk.wants:
                seen = next(differences(walk), None)
            sys.stdout.write(f"{'seen' if seen else 'NOT SEEN'}: {place}\n")
            sys.stdout.flush()
            unseen += [] if seen else [place]
    sys.stdout.write(f"{len(unseen)} of {tried} places are not seen\n")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
