"""Look for secrets in every file that git keeps: keys and tokens by the shapes that their issuers give them.

``python scripts/scan_secrets.py [FILE...]``. It asks nobody over the network. Words such as "password" and random
looking texts are not looked for: tests and examples are full of invented ones. A line that must look like a secret ends
with ``pragma: allowlist secret``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parents[1]
SHAPES = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)


def kept_files() -> list[str]:
    """The files that git keeps, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def found_in(paths: list[str]) -> Iterator[str]:
    """A line for each secret: where it is, and what it looks like; not the secret."""
    filters = [{"path": "detect_secrets.filters.allowlist.is_line_allowlisted"}]
    with transient_settings({"plugins_used": [{"name": name} for name in SHAPES], "filters_used": filters}):
        for path in paths:
            for secret in scan_file(str(ROOT / path)):
                yield f"{path}:{secret.line_number}: {secret.type}"


def main() -> int:
    """Scan, and say what was found."""
    lines = list(found_in(sys.argv[1:] or kept_files()))
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
