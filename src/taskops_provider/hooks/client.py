"""The HTTP library's part: how a client is set up, and what its errors mean."""

from __future__ import annotations

import ssl
from typing import TypedDict

import httpx

from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.errors import BadConnection

#: what a request may end with instead of an answer
NO_ANSWER = (httpx.RequestError, httpx.InvalidURL)

_CONNECT_TIMEOUT = 10.0
#: these happen before a byte of the request is on its way
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class ClientOptions(TypedDict):
    """The arguments of an ``httpx`` client, blocking or not."""

    timeout: httpx.Timeout
    verify: bool | ssl.SSLContext
    follow_redirects: bool
    auth: httpx.Auth


def client_options(endpoint: Endpoint, auth: httpx.Auth) -> ClientOptions:
    """Return the arguments of a client for one server.

    :raises BadConnection: for a CA bundle that cannot be read
    """
    return {
        "timeout": httpx.Timeout(endpoint.timeout, connect=min(endpoint.timeout, _CONNECT_TIMEOUT)),
        "verify": _verify(endpoint),
        # a token must not follow to where a redirection leads
        "follow_redirects": False,
        "auth": auth,
    }


def _verify(endpoint: Endpoint) -> bool | ssl.SSLContext:
    if endpoint.url.startswith("http:"):
        return False  # reading the CA bundle takes longer than the request
    if isinstance(endpoint.verify, bool):
        return endpoint.verify
    try:
        return ssl.create_default_context(cafile=endpoint.verify)
    except OSError as error:
        why = error.strerror or error
        raise BadConnection(f"connection {endpoint.conn_id!r}: verify is {endpoint.verify!r}: {why}") from None


def was_sent(error: Exception) -> bool:
    """Whether the request that ended so may have reached the server."""
    return not isinstance(error, _NOT_SENT)


def why_no_answer(error: Exception, endpoint: Endpoint) -> str:
    """Return what went wrong, for people.

    :raises BadConnection: when no repetition helps
    """
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise BadConnection(f"cannot reach {endpoint}: {error}") from None
    if isinstance(error, httpx.ConnectTimeout):
        return "it does not answer: the connection timed out"
    if isinstance(error, httpx.ConnectError):
        hint = "; if it speaks http, put http:// in front of the host" if "SSL" in str(error) else ""
        return f"it does not answer: {error}{hint}"
    if isinstance(error, httpx.TimeoutException):
        return f"it did not answer in {endpoint.timeout:g} s"
    return f"the connection broke before it answered: {error or type(error).__name__}"
