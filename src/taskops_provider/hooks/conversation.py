"""How the hook talks with the server: gets a token, renews it, tries again, and says what went wrong.

Generators that yield what is to be done (:class:`Send`, :class:`Wait`) and are sent what came of it; the hooks do
it, blocking or not.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, TypeAlias

from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.errors import (
    LoginRefused,
    NoAnswer,
    NotFound,
    PermissionMissing,
    RequestRefused,
    ServerUnavailable,
    StateConflict,
    TaskOpsHookError,
    UnexpectedAnswer,
)
from taskops_provider.hooks.wire import Answer, Call, Failure, Repeat, Send, Wait

API = "/taskops/v1"
#: in operation records: where a change came from
SOURCE_HEADER = "X-TaskOps-Source"
SOURCE = "operator"

FIRST_WAIT = 0.5
LONGEST_WAIT = 10.0

#: told before anything was done: nobody is there behind the proxy, the tables are missing, too many requests
_NOT_DONE = (429, 503)
#: of a server that died or is overloaded, or of the proxy in front of it: what it did is not known
_UNKNOWN = (408, 500, 502, 504)
#: what Airflow says of a token that it did not sign, or took back; with login and password a new one helps
_NO_TOKEN_OF_OURS = "Invalid JWT token"

Steps: TypeAlias = Generator[Send | Wait, Any, Any]


class Conversation:
    """One server and the token it gave. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self._token = endpoint.token
        self._fresh_token: str | None = None

    def ask(self, call: Call) -> Steps:
        """Ask one thing and return the parsed JSON of the answer.

        :raises TaskOpsHookError: one of its kinds, with one line
        """
        renewed = False
        while True:
            if self._token is None and self.endpoint.login:
                yield from self._log_in(call)
            answer = yield from self._persist(self._send_of(call), call.what, call.repeat)
            if self._is_stale(answer) and self.endpoint.login and not renewed:
                self._token = None
                renewed = True
                continue
            return self._read(call, answer)

    def take_fresh_token(self) -> str | None:
        """Return, once, a token that the server has just made: it is to be masked in logs."""
        token, self._fresh_token = self._fresh_token, None
        return token

    def _log_in(self, call: Call) -> Steps:
        what = f"log in to {call.what}"
        body = {"username": self.endpoint.login, "password": self.endpoint.password}
        send = Send("POST", f"{self.endpoint.url}/auth/token", {}, {}, body)
        answer: Answer = yield from self._persist(send, what, Repeat.ALWAYS)
        if answer.status in (400, 401, 403):
            raise LoginRefused(self._sentence(what, f"the user name or password is wrong ({_told(answer)})"))
        content = self._json(what, answer) if answer.status in (200, 201) else None
        token = content.get("access_token") if isinstance(content, dict) else None
        if not isinstance(token, str) or not token:
            raise UnexpectedAnswer(self._sentence(what, f"POST /auth/token gave no token ({_told(answer)})"))
        self._token = self._fresh_token = token

    def _send_of(self, call: Call) -> Send:
        headers = {SOURCE_HEADER: SOURCE, "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return Send(call.method, f"{self.endpoint.url}{API}{call.path}", headers, call.params, call.body)

    def _persist(self, send: Send, what: str, repeat: Repeat) -> Steps:
        """Send until there is an answer to go by, waiting longer each time.

        :raises ServerUnavailable: when there is none, and nothing was done
        :raises NoAnswer: when a change may have been carried out
        """
        tries = self.endpoint.retries + 1
        for number in range(1, tries + 1):
            came: Answer | Failure = yield send
            if isinstance(came, Failure):
                why, unknown = came.why, came.sent
            elif came.status in _NOT_DONE or came.status in _UNKNOWN:
                why, unknown = f"it answered {_told(came)}", came.status in _UNKNOWN
            else:
                return came
            if unknown and repeat is not Repeat.ALWAYS:
                raise NoAnswer(self._sentence(what, f"{why}; it may or may not have been carried out"))
            if number < tries:
                yield Wait(_pause(number))
        tried = f"; tried {tries} times" if tries > 1 else ""
        raise ServerUnavailable(self._sentence(what, why + tried))

    @staticmethod
    def _is_stale(answer: Answer) -> bool:
        return answer.status == 401 or (answer.status == 403 and _NO_TOKEN_OF_OURS in answer.detail())

    def _read(self, call: Call, answer: Answer) -> Any:
        if answer.status in (200, 201, 202):
            return self._json(call.what, answer)
        raise self._error(call.what, answer)

    def _json(self, what: str, answer: Answer) -> Any:
        try:
            return answer.json()
        except ValueError:
            kind = answer.content_type.partition(";")[0] or "something unnamed"
            raise UnexpectedAnswer(
                self._sentence(what, f"the answer is {kind} and no JSON; is this the address of the API server?")
            ) from None

    def _error(self, what: str, answer: Answer) -> TaskOpsHookError:
        status = answer.status
        told = _told(answer)
        if self._is_stale(answer):
            return LoginRefused(self._sentence(what, self._why_not_known(told)))
        if 300 <= status < 400:
            return UnexpectedAnswer(self._sentence(what, f"it redirects to {answer.location!r}; use that address"))
        if status == 404 and answer.detail() in ("", "Not Found"):
            # the words of a server that knows no such path; ours names what it does not find
            return NotFound(self._sentence(what, f"there is no TaskOps API below {self.endpoint.url}{API} ({told})"))
        kinds: dict[int, type[TaskOpsHookError]] = {403: PermissionMissing, 404: NotFound, 409: StateConflict}
        if status in kinds:
            return kinds[status](self._sentence(what, told))
        if 400 <= status < 500:
            return RequestRefused(self._sentence(what, told))
        return UnexpectedAnswer(self._sentence(what, told))

    def _why_not_known(self, told: str) -> str:
        if self.endpoint.login:
            return f"the token that it gave a moment ago is not accepted ({told})"
        if self.endpoint.token:
            return f"the connection's token is not accepted ({told})"
        return f"the connection has neither a login nor a token ({told})"

    def _sentence(self, what: str, why: str) -> str:
        return f"cannot {what} at {self.endpoint}: {why}"


def _told(answer: Answer) -> str:
    detail = answer.detail()
    return f"{detail} (HTTP {answer.status})" if detail else f"HTTP {answer.status}"


def _pause(number: int) -> float:
    """Return the seconds before the next try: doubled each time, and spread, so that many tasks do not come at once."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** (number - 1)) * random.uniform(0.5, 1.0)
