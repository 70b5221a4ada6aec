"""The Flask blueprint with the templates and the static files. Static files are public; it serves nothing else."""

from __future__ import annotations

from flask import Blueprint, request

A_YEAR = 365 * 24 * 3600


class Assets(Blueprint):
    """Lets browsers keep static files whose address changes with them; the others they ask about each time."""

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        is_built = (filename or "").startswith("dist/") and not (filename or "").endswith((".json", ".txt"))
        return A_YEAR if is_built or "v" in request.args else None


def make_blueprint() -> Blueprint:
    """Return the blueprint; templates are ``taskops/...``, static files ``/pluginsv2/taskops/static/...``."""
    return Assets(
        "taskops",
        __name__,
        url_prefix="/taskops",
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
