"""One server: how it is asked, how often, and what its answers and silences mean. Shared by both hooks."""

from __future__ import annotations

from typing import NoReturn, TypedDict, TypeVar, cast

import httpx
from tenacity import (
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random_exponential,
)
from tenacity.retry import retry_base
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from taskops_provider.domain.answers import Json
from taskops_provider.hooks.auth import NotLoggedIn, TokenAuth
from taskops_provider.hooks.calls import Call, RepeatRequest
from taskops_provider.hooks.client import ClientOptions, client_options, was_sent, why_no_answer
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
from taskops_provider.hooks.responses import described, detail_of, is_stale, json_of

API = "/taskops/v1"
#: in operation records: where a change came from
SOURCE_HEADER = "X-TaskOps-Source"
SOURCE = "operator"

#: seconds
FIRST_WAIT = 0.5
LONGEST_WAIT = 10.0

#: told before anything was done: nobody is there behind the proxy, the tables are missing, too many requests
_NOT_DONE = (429, 503)
#: of a server that died or is overloaded, or of the proxy in front of it: what it did is not known
_UNKNOWN = (408, 500, 502, 504)

T = TypeVar("T")


class NotDone(Exception):
    """What was asked was not done, or does no harm when it is done twice: ask again."""


class Repeating(TypedDict):
    """The arguments of ``tenacity``'s retrying, blocking or not, but for how it sleeps."""

    stop: stop_base
    wait: wait_base
    retry: retry_base


class Server:
    """One server and the token for it. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self.auth = TokenAuth(endpoint)
        self.client_options: ClientOptions = client_options(endpoint, self.auth)

    def repeating(self) -> Repeating:
        """How often a call is asked again, and after which waits."""
        return {
            "stop": stop_after_attempt(self.endpoint.retries + 1),
            "wait": waits(),
            "retry": retry_if_exception_type(NotDone),
        }

    def request(self, call: Call[T]) -> Json:
        """Return the arguments of a client's ``request``."""
        headers = {SOURCE_HEADER: SOURCE, "Accept": "application/json"}
        options = {"method": call.method, "url": f"{self.endpoint.url}{API}{call.path}", "headers": headers}
        if call.params:
            options["params"] = dict(call.params)
        if call.body is not None:
            options["json"] = call.body
        return options

    def read(self, call: Call[T], response: httpx.Response | Exception) -> T:
        """Return the parsed JSON of an answer.

        :param response: or the error that came instead. It is no longer being handled, so that no chain of errors
            stands behind the one line that people read.
        :raises NotDone: when the server could not work
        :raises NoAnswer: when a change may have been carried out
        :raises TaskOpsHookError: for anything else that is no answer to the call
        """
        if isinstance(response, Exception):
            self._failed(call, response)
        status = response.status_code
        if status in _NOT_DONE or status in _UNKNOWN:
            self._not_done(call, call.what, f"it answered {described(response)}", unknown=status in _UNKNOWN)
        if status not in (200, 201, 202):
            raise self._error(call.what, response)
        content = json_of(response)
        if content is None:
            kind = response.headers.get("content-type", "").partition(";")[0] or "something unnamed"
            raise self._error_of(
                UnexpectedAnswer, call.what, f"the answer is {kind} and no JSON; is this the address of the API server?"
            )
        if call.holds and not (isinstance(content, dict) and isinstance(content.get(call.holds), list)):
            raise UnexpectedAnswer(f"the list of {call.holds} from {self.endpoint} holds no {call.holds!r}")
        return cast("T", content)

    def _failed(self, call: Call[T], error: Exception) -> NoReturn:
        """Say what it means that a request ended with an error instead of an answer.

        :raises NotDone: when it is worth asking again
        :raises TaskOpsHookError: when it is not
        """
        log_in = f"log in to {call.what}"
        if isinstance(error, NotLoggedIn):
            self._not_logged_in(call, log_in, error.response)
        why = why_no_answer(error, self.endpoint)
        if isinstance(error, httpx.RequestError) and self.auth.is_login(error.request):
            self._not_done(call, log_in, why, unknown=False)
        self._not_done(call, call.what, why, unknown=was_sent(error))

    def gave_up(self, state: RetryCallState) -> NoReturn:
        """End the repetition.

        :raises ServerUnavailable: with what was the matter the last time
        """
        error = state.outcome.exception() if state.outcome else None
        tried = f"; tried {state.attempt_number} times" if state.attempt_number > 1 else ""
        raise ServerUnavailable(f"{error}{tried}") from None

    def _not_logged_in(self, call: Call[T], what: str, response: httpx.Response) -> NoReturn:
        status, why = response.status_code, described(response)
        if status in _NOT_DONE or status in _UNKNOWN:
            self._not_done(call, what, f"it answered {why}", unknown=False)
        if status in (400, 401, 403):
            raise self._error_of(LoginRefused, what, f"the user name or password is wrong ({why})")
        raise self._error_of(UnexpectedAnswer, what, f"POST /auth/token gave no token ({why})")

    def _not_done(self, call: Call[T], what: str, why: str, *, unknown: bool) -> NoReturn:
        if unknown and call.repeat is not RepeatRequest.ALWAYS:
            raise self._error_of(NoAnswer, what, f"{why}; it may or may not have been carried out")
        raise NotDone(self._line(what, why))

    def _error(self, what: str, response: httpx.Response) -> TaskOpsHookError:
        status, why = response.status_code, described(response)
        if is_stale(response):
            return self._error_of(LoginRefused, what, self._why_not_known(why))
        if 300 <= status < 400:
            location = response.headers.get("location", "")
            return self._error_of(UnexpectedAnswer, what, f"it redirects to {location!r}; use that address")
        if status == 404 and detail_of(response) in ("", "Not Found"):
            # the words of a server that knows no such path; ours names what it does not find
            return self._error_of(NotFound, what, f"there is no TaskOps API below {self.endpoint.url}{API} ({why})")
        kinds: dict[int, type[TaskOpsHookError]] = {403: PermissionMissing, 404: NotFound, 409: StateConflict}
        other = RequestRefused if 400 <= status < 500 else UnexpectedAnswer
        return self._error_of(kinds.get(status, other), what, why)

    def _why_not_known(self, why: str) -> str:
        if self.endpoint.login:
            return f"the token that it gave a moment ago is not accepted ({why})"
        if self.endpoint.token:
            return f"the connection's token is not accepted ({why})"
        return f"the connection has neither a login nor a token ({why})"

    def _error_of(self, kind: type[TaskOpsHookError], what: str, why: str) -> TaskOpsHookError:
        return kind(self._line(what, why))

    def _line(self, what: str, why: str) -> str:
        return f"cannot {what} at {self.endpoint}: {why}"


def waits() -> wait_base:
    """Return how long to wait between two tries: doubled each time, half of it by chance, so that many tasks do not
    come at once."""
    half, most = FIRST_WAIT / 2, LONGEST_WAIT / 2
    return wait_exponential(multiplier=half, max=most) + wait_random_exponential(multiplier=half, max=most)
