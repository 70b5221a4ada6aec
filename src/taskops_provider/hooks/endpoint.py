"""Where the REST API is and how to get in, from an Airflow connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from taskops_provider.hooks.errors import BadConnection

#: where neither the host nor the field ``schema`` says: a password goes over this
DEFAULT_SCHEME = "https"
DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 5
MAX_RETRIES = 20

#: what stands in the place of a port and is none
_NO_PORT = re.compile(r":(?!\d*$)[^:\]]*$")


class AirflowConnection(Protocol):
    """The fields of an Airflow connection that count here."""

    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    password: str | None


@dataclass(frozen=True)
class Endpoint:
    """An API server and a way in.

    :param url: with the path prefix of ``[api] base_url``, without a slash at its end
    :param login: of a user; None with a token, or on a server that asks nobody who they are
    :param token: a bearer token that was given instead of login and password
    :param timeout: seconds to wait for an answer
    :param retries: how often what is safe to repeat is repeated
    :param verify: whether certificates are checked, or the path of a CA bundle to check them with
    """

    conn_id: str
    url: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    retries: int = DEFAULT_RETRIES
    verify: bool | str = True

    def __str__(self) -> str:
        who = f" as {self.login!r}" if self.login else ""
        return f"{self.url}{who} (connection {self.conn_id!r})"

    @classmethod
    def from_connection(cls, conn_id: str, connection: AirflowConnection, extra: Mapping[str, Any]) -> Endpoint:
        """Read a connection.

        :raises BadConnection: naming the field that is wrong
        """
        login = connection.login or None
        password = connection.password or None
        token = extra.get("token") or None
        if login and token:
            raise BadConnection(f"connection {conn_id!r} has both a login and a token; keep one of them")
        if login and not password:
            raise BadConnection(f"connection {conn_id!r} has the login {login!r} and no password")
        if not login:
            # a password alone is a token: the field is there in every form, and hidden
            token, password = token or password, None
        return cls(
            conn_id=conn_id,
            url=_url(conn_id, connection),
            login=login,
            password=password,
            token=str(token).strip() if token else None,
            timeout=_number(conn_id, extra, "timeout", DEFAULT_TIMEOUT, above=0, most=3600),
            retries=int(_number(conn_id, extra, "retries", DEFAULT_RETRIES, above=-1, most=MAX_RETRIES)),
            verify=_verify(extra.get("verify")),
        )


def _url(conn_id: str, connection: AirflowConnection) -> str:
    host = (connection.host or "").strip()
    if not host:
        raise BadConnection(
            f"connection {conn_id!r} has no host: give it the address of Airflow's API server, "
            "as https://airflow.example.com"
        )
    if "://" not in host:
        host = f"{(connection.schema or DEFAULT_SCHEME).strip().lower()}://{host}"
    try:
        parts = urlsplit(host)
        port = parts.port or connection.port
    except ValueError:
        problem: str | None = "is no address"
    else:
        problem = _problem(host, parts)
    if problem:
        raise BadConnection(f"connection {conn_id!r}: the host {_without_secrets(host)!r} {problem}")
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _problem(host: str, parts: SplitResult) -> str | None:
    # anywhere: a password may hold a slash, and what follows it then looks like a path
    if "@" in host:
        return "holds a user name; put it into login and password"
    if parts.scheme not in ("http", "https"):
        return f"has the scheme {parts.scheme!r}; allowed are http and https"
    if not parts.hostname:
        return "names no server"
    if parts.query or parts.fragment:
        return "is an address with ? or #; give that of the API server alone"
    return None


def _without_secrets(host: str) -> str:
    """Return as much of an address as messages may show: no user name and password, no port that is none, no query."""
    scheme, _, rest = host.partition("://")
    if "@" in host:
        return f"{scheme}://***" if scheme.isalpha() else "***"
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{_NO_PORT.sub(':***', authority)}{slash}{path}"


def _number(conn_id: str, extra: Mapping[str, Any], name: str, default: float, *, above: float, most: float) -> float:
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        # from a connection URI everything comes as text
        number = float(value)
    except (TypeError, ValueError):
        number = above
    if not above < number <= most:
        raise BadConnection(
            f"connection {conn_id!r}: {name} is {value!r}; it must be a number above {above:g}, at most {most:g}"
        )
    return number


def _verify(value: Any) -> bool | str:
    if value is None or value == "" or isinstance(value, bool):
        return value is not False
    text = str(value).strip()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
