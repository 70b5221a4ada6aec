"""What an answer of the server says."""

from __future__ import annotations

import json
from typing import Any

import httpx

#: what Airflow says of a token that it did not sign, or took back; with login and password a new one helps
_NO_TOKEN_OF_OURS = "Invalid JWT token"


def json_of(response: httpx.Response) -> Any:
    """Return the parsed content; None when it is no JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def detail_of(response: httpx.Response) -> str:
    """Return what the server says is wrong, as well as it can be told."""
    content = json_of(response)
    detail = content.get("detail") if isinstance(content, dict) else None
    if isinstance(detail, list):  # pydantic's
        return "; ".join(_of_field(entry) for entry in detail[:5])
    if isinstance(detail, dict):
        detail = detail.get("message") or detail.get("reason") or json.dumps(detail)
    return str(detail or "")


def described(response: httpx.Response) -> str:
    """Return what the server says is wrong, with the status."""
    detail = detail_of(response)
    return f"{detail} (HTTP {response.status_code})" if detail else f"HTTP {response.status_code}"


def is_stale(response: httpx.Response) -> bool:
    """Whether the server does not take the token."""
    status = response.status_code
    return status == 401 or (status == 403 and _NO_TOKEN_OF_OURS in detail_of(response))


def _of_field(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    where = ".".join(str(part) for part in entry.get("loc", ()) if part != "body")
    return f"{where}: {entry.get('msg', '')}" if where else str(entry.get("msg", ""))
