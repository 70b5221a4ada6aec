"""A mail server and an HTTP endpoint of the test's own, that keep what they are sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from aiosmtpd.controller import Controller

from tests.support.live import free_port


@dataclass(frozen=True)
class Mail:
    """One message as the server took it, for one recipient."""

    recipient: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """What a program that shows plain text shows."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        """What other programs show."""
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())

    @property
    def delivery(self) -> int:
        """The number of the message in our table."""
        return int(self.message["X-TaskOps-Delivery"])


@dataclass
class MailServer:
    """A real SMTP server on a port of its own. A context manager: runs it.

    :param delay: seconds before it answers to a text
    :param answer: what it answers to a recipient; None: it takes it
    :param timeout: seconds that its clients wait
    """

    delay: float = 0.0
    answer: Callable[[str], str | None] = lambda _recipient: None
    timeout: int = 5
    port: int = field(default_factory=free_port)
    mails: list[Mail] = field(default_factory=list)
    _answers: threading.Event = field(default_factory=threading.Event)

    @property
    def uri(self) -> str:
        """For ``AIRFLOW_CONN_SMTP_DEFAULT``."""
        return f"smtp://127.0.0.1:{self.port}/?disable_ssl=true&disable_tls=true&from_email=taskops%40example.com&timeout={self.timeout}"

    def __enter__(self) -> MailServer:
        self._answers.set()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._answers.set()
        self._controller.stop()

    @contextmanager
    def not_answering(self) -> Iterator[None]:
        """Meanwhile it takes texts and does not answer."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """Called by the server."""
        refused = self.answer(address)
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Called by the server."""
        message = cast("EmailMessage", message_from_bytes(envelope.content, policy=default))
        self.mails += [Mail(recipient, message) for recipient in envelope.rcpt_tos]
        time.sleep(self.delay)
        self._answers.wait()
        return "250 OK"

    def subjects(self) -> list[str]:
        """The subjects of all messages."""
        return [mail.subject for mail in self.mails]


class Endpoint:
    """A real HTTP endpoint that keeps the JSON it is sent. A context manager: runs it.

    :param status: what it answers
    """

    def __init__(self, status: int = 200):
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.status = status
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.calls.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
