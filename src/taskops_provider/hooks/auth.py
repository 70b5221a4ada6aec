"""The bearer token: the connection's, or one that the server gives for login and password."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.responses import is_stale, json_of


class NotLoggedIn(Exception):
    """The server gave no token.

    :param response: what it answered instead
    """

    def __init__(self, response: httpx.Response):
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class TokenAuth(httpx.Auth):
    """Logs in before the first request, and once more where the server does not take the token any more.

    A token of the connection's own cannot be renewed: what the server says of it is the answer. Not for several
    threads at once.
    """

    requires_response_body = True

    def __init__(self, endpoint: Endpoint):
        self._endpoint = endpoint
        self._token = endpoint.token
        self._fresh_token: str | None = None
        self._login: httpx.Request | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send ``request`` with the token; get one before, or a new one after, where that is needed.

        :raises NotLoggedIn: when the server gives none
        """
        if self._endpoint.login and self._token is None:
            yield from self._log_in(request)
        response = yield self._signed(request)
        if self._endpoint.login and is_stale(response):
            yield from self._log_in(request)
            yield self._signed(request)

    def take_fresh_token(self) -> str | None:
        """Return, once, a token that the server has just given: it is to be masked in logs."""
        token, self._fresh_token = self._fresh_token, None
        return token

    def is_login(self, request: httpx.Request) -> bool:
        """Whether a request is the latest login, and not what is asked with the token."""
        return request is self._login

    def _log_in(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._token = None
        body = {"username": self._endpoint.login, "password": self._endpoint.password}
        # the timeouts of a client are in its requests' extensions: one that was made by hand would wait for ever
        url = f"{self._endpoint.url}/auth/token"
        self._login = httpx.Request("POST", url, json=body, extensions=request.extensions)
        response = yield self._login
        content = json_of(response) if response.status_code in (200, 201) else None
        token = content.get("access_token") if isinstance(content, dict) else None
        if not isinstance(token, str) or not token:
            raise NotLoggedIn(response)
        self._token = self._fresh_token = token

    def _signed(self, request: httpx.Request) -> httpx.Request:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
