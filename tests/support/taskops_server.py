"""A small HTTP server that plays Airflow's API server with TaskOps: logins, tasks, and everything that goes wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BECOMES = {"start": "scheduling", "pause": "paused", "offline": "offline", "submit": "scheduling"}
MAY_BE = {
    "start": {"paused"},
    "pause": {"scheduling"},
    "offline": {"scheduling", "paused"},
    "submit": {"offline", "deleted"},
}


@dataclass
class Reply:
    """Answer the next request so, instead of doing what it asks.

    :param do: carry the request out first
    :param drop: close the connection instead of answering
    """

    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    do: bool = False
    drop: bool = False
    slow: float = 0


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class TaskOpsServer:
    """What the server knows, what it is told to do wrong, and what it was asked."""

    def __init__(self, prefix: str = ""):
        self.prefix = prefix
        self.users = {"bot": "secret"}
        self.tokens: set[str] = set()
        self.tasks: dict[tuple[str, str], dict[str, Any]] = {}
        #: what the API says of owners where it is asked to tell them
        self.notified: dict[str, list[str]] = {"told": [], "unreachable": [], "channels": []}
        self.blocked: set[tuple[str, str]] = set()
        self.forbidden: set[str] = set()
        self.operations = 0
        self.seen: list[Seen] = []
        #: path (with method) -> replies still to give
        self.script: dict[str, list[Reply]] = {}
        self.lock = threading.Lock()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def add(self, dag_id: str, *task_ids: str, status: str = "scheduling") -> None:
        for task_id in task_ids:
            self.tasks[dag_id, task_id] = {"dag_id": dag_id, "task_id": task_id, "status": status, "reason": None}

    def status(self, dag_id: str, task_id: str) -> str:
        return self.tasks[dag_id, task_id]["status"]

    def then(self, request: str, *replies: Reply) -> None:
        """Give these replies to the next requests, as ``POST /taskops/v1/tasks/pause``."""
        self.script.setdefault(request, []).extend(replies)

    def asked(self, request: str) -> list[Seen]:
        return [seen for seen in self.seen if f"{seen.method} {seen.path}" == request]

    def changes(self) -> list[Seen]:
        """Changes that came, previews aside."""
        return [seen for seen in self.seen if seen.method == "POST" and seen.body.get("targets") and not _dry(seen)]

    def answer(self, seen: Seen) -> tuple[int, Any]:
        """Do what is asked."""
        if not seen.path.startswith(self.prefix):
            return 404, {"detail": "Not Found"}
        path = seen.path[len(self.prefix) :]
        if path == "/auth/token":
            return self._log_in(seen.body)
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"detail": "Token Expired" if "authorization" in seen.headers else "Not authenticated"}
        parts = path.removeprefix("/taskops/v1/").split("/")
        if seen.method == "GET":
            return self._read([unquote(part) for part in parts], seen.query)
        return self._change(parts[0], parts[1], seen.body)

    def _log_in(self, body: dict[str, str]) -> tuple[int, Any]:
        if self.users.get(body["username"]) != body["password"]:
            return 401, {"detail": "Invalid credentials"}
        token = f"token-{len([seen for seen in self.seen if seen.path.endswith('/auth/token')])}"
        self.tokens.add(token)
        return 201, {"access_token": token}

    def _read(self, parts: list[str], query: dict[str, list[str]]) -> tuple[int, Any]:
        if len(parts) == 4:
            return 200, {"instances": [{"run_id": "manual__1", "state": "failed"}], "total_entries": 1}
        if len(parts) == 3:
            task = self.tasks.get((parts[1], parts[2]))
            return (200, task) if task else (404, {"detail": f"Task {parts[2]!r} of Dag {parts[1]!r} does not exist"})
        if len(parts) == 2:
            return 200, {"dag_id": parts[1], "status": "all_scheduling", "draining_runs": 0}
        found: list[Any] = sorted(self.tasks.values(), key=lambda task: (task["dag_id"], task["task_id"]))
        if parts[0] == "workflows":
            found = [{"dag_id": dag_id} for dag_id in sorted({task["dag_id"] for task in found})]
        if "dag_id" in query:
            found = [task for task in found if task["dag_id"] in query["dag_id"]]
        offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["50"])[0])
        return 200, {parts[0]: found[offset : offset + limit], "total_entries": len(found)}

    def _change(self, scope: str, verb: str, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("downstream") not in (None, "skip", "run", "fail", "hold"):
            return 422, {"detail": [{"loc": ["body", "downstream"], "msg": "Input should be 'skip', 'run' or 'fail'"}]}
        pairs = [(target["dag_id"], target.get("task_id")) for target in body["targets"]]
        if scope == "workflows":
            dag_ids = {dag_id for dag_id, _ in pairs}
            pairs = [pair for pair in self.tasks if pair[0] in dag_ids]
        for dag_id, task_id in pairs:
            if (dag_id, task_id) not in self.tasks:
                return 404, {"detail": f"task '{dag_id} {task_id}' does not exist"}
        items = [self._item(verb, dag_id, str(task_id)) for dag_id, task_id in pairs]
        hash_ = json.dumps([[item["dag_id"], item["task_id"], item["before"]] for item in items])
        applied = [item for item in items if item["outcome"] == "applied"]
        answer: dict[str, Any] = {"operation_id": None, "verb": verb, "dry_run": bool(body.get("dry_run"))}
        if body.get("dry_run"):
            answer["plan_hash"] = hash_
        else:
            if body.get("plan_hash") not in (None, hash_):
                return 409, {"detail": "the plan has changed since the preview, nothing was done"}
            self.operations += 1
            answer["operation_id"] = self.operations
            for item in applied:
                self.tasks[item["dag_id"], item["task_id"]].update(status=item["after"], reason=body.get("reason"))
            if applied and body.get("notify_owners"):
                answer["notified"] = self.notified
        outcomes = [item["outcome"] for item in items]
        answer["outcome"] = "success" if len(applied) == len(items) else "part_success" if applied else "refused"
        answer["counts"] = {name: outcomes.count(name) for name in ("applied", "left_alone", "blocked")}
        answer["items"] = items
        return 200, answer

    def _item(self, verb: str, dag_id: str, task_id: str) -> dict[str, Any]:
        before = self.status(dag_id, task_id)
        item = {"dag_id": dag_id, "task_id": task_id, "before": before, "reason": None, "blocked_by": []}
        if dag_id in self.forbidden:
            return {**item, "outcome": "blocked", "after": before, "reason": "you may not change this Dag"}
        if before not in MAY_BE[verb]:
            reason = f"is {before}; {verb} applies to tasks that are {' or '.join(sorted(MAY_BE[verb]))}"
            return {**item, "outcome": "left_alone", "after": before, "reason": reason}
        if (dag_id, task_id) in self.blocked:
            blockers = [{"dag_id": "other", "task_id": "reader"}, {"dag_id": None, "task_id": None}]
            reason = "is needed downstream"
            return {**item, "outcome": "blocked", "after": before, "reason": reason, "blocked_by": blockers}
        return {**item, "outcome": "applied", "after": BECOMES[verb]}


def _dry(seen: Seen) -> bool:
    return bool(seen.body.get("dry_run"))


class _Handler(BaseHTTPRequestHandler):
    state: TaskOpsServer
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(
            self.command,
            parts.path,
            parse_qs(parts.query),
            headers,
            json.loads(self.rfile.read(length)) if length else None,
        )
        with self.state.lock:
            self.state.seen.append(seen)
            replies = self.state.script.get(f"{seen.method} {seen.path}") or []
            reply = replies.pop(0) if replies else None
            status, body = self.state.answer(seen) if reply is None or reply.do else (reply.status, reply.body)
        if reply:
            time.sleep(reply.slow)
            if reply.drop:
                self.close_connection = True
                return
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", reply.content_type if reply else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (reply.headers if reply else {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _handle

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: tests look at ``seen``."""


@contextmanager
def taskops_server(prefix: str = "") -> Iterator[TaskOpsServer]:
    """Run a server until the block ends."""
    state = TaskOpsServer(prefix)
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # a client that gave up waiting leaves a broken pipe behind, which is none of ours
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
