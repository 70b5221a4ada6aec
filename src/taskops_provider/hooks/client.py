"""The HTTP library's part: how a client is set up, and what its answers and errors mean to the conversation."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.errors import BadConnection
from taskops_provider.hooks.wire import Answer, Failure, Send

#: what a request may end with instead of an answer
NO_ANSWER = (httpx.RequestError, httpx.InvalidURL)

_CONNECT_TIMEOUT = 10.0
#: these happen before a byte of the request is on its way
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


def client_options(endpoint: Endpoint) -> dict[str, Any]:
    """Return the arguments of an ``httpx`` client, blocking or not.

    :raises BadConnection: for a CA bundle that cannot be read
    """
    return {
        "timeout": httpx.Timeout(endpoint.timeout, connect=min(endpoint.timeout, _CONNECT_TIMEOUT)),
        "verify": _verify(endpoint),
        # a token must not follow to where a redirection leads
        "follow_redirects": False,
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


def request_options(send: Send) -> dict[str, Any]:
    """Return the arguments of a client's ``request``."""
    options = {"method": send.method, "url": send.url, "headers": send.headers}
    if send.params:
        options["params"] = dict(send.params)
    if send.body is not None:
        options["json"] = send.body
    return options


def answer_of(response: httpx.Response) -> Answer:
    """Return what the conversation needs of an answer."""
    headers = response.headers
    return Answer(response.status_code, response.content, headers.get("content-type", ""), headers.get("location", ""))


def failure_of(error: Exception, endpoint: Endpoint) -> Failure:
    """Return what the conversation needs of an error.

    :raises BadConnection: when no repetition helps
    """
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise BadConnection(f"cannot reach {endpoint}: {error}") from None
    if isinstance(error, httpx.ConnectTimeout):
        why = "it does not answer: the connection timed out"
    elif isinstance(error, httpx.ConnectError):
        why = f"it does not answer: {error}"
    elif isinstance(error, httpx.TimeoutException):
        why = f"it did not answer in {endpoint.timeout:g} s"
    else:
        why = f"the connection broke before it answered: {error or type(error).__name__}"
    return Failure(why, sent=not isinstance(error, _NOT_SENT))
