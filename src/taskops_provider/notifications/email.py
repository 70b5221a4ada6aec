"""E-mail in plain text and HTML, by Airflow's SMTP provider."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid
from typing import Any, cast

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from taskops_provider.notifications.outcome import MaybeSent, Refused, Unsendable


class EmailNotifier(SmtpNotifier):
    """Airflow's notifier, with a plain text beside the HTML, and tried just once a call.

    Texts are sent as they are: they hold what people wrote, which is no template.

    :param text: the plain text
    """

    template_fields = ()  # type: ignore[assignment]

    def __init__(self, *, text: str, headers: Mapping[str, str] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.text = text
        self.headers = dict(headers or {})

    def notify(self, context: Any) -> None:
        """Send it.

        :raises MaybeSent: when the server took the text and its answer was lost
        :raises Refused: when the server does not want it
        :raises Unsendable: when no server would take it: its address or its text cannot be written
        :raises Exception: when it was not sent
        """
        with self.hook as hook:
            client = cast("smtplib.SMTP", hook._smtp_client)
            message = EmailMessage(policy=SMTP)
            sender = self.from_email or hook.from_email
            if not sender:
                raise ValueError("no sender: set from_email in the connection's extra, or in the channel's args")
            message["From"] = sender
            text = self._written(message)
            client.ehlo_or_helo_if_needed()
            _expect(client.mail(message["From"].addresses[0].addr_spec))
            _expect(client.rcpt(str(self.to)))
            try:
                answer = client.data(text)
            except smtplib.SMTPDataError as error:  # it did not want the text
                raise _refused(error.smtp_code, error.smtp_error) from error
            except OSError as error:  # a timeout, a lost connection
                raise MaybeSent(f"the mail server's answer was lost: {type(error).__name__}") from error
            _expect(answer)

    def _written(self, message: EmailMessage) -> bytes:
        """Return the whole text of a message that has its sender."""
        to = str(self.to)
        # a server that takes other characters has to be asked for it; =? begins what is read in another way
        if not to.isascii() or "=?" in to:
            raise Unsendable("mail servers take no such address: it is not in ASCII")
        try:
            return self._fill(message, to).as_bytes()
        except (ValueError, TypeError, LookupError, MessageError) as error:
            raise Unsendable(f"it cannot be written as a mail: {type(error).__name__}") from error

    def _fill(self, message: EmailMessage, to: str) -> EmailMessage:
        # it has names of people in it, and =? would be read in another way
        message["Subject"] = str(self.subject).replace("=?", "= ?")
        message["To"] = to
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid("taskops")
        # mail programs do not answer it by themselves
        message["Auto-Submitted"] = "auto-generated"
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.text)
        message.add_alternative(self.html_content, subtype="html")
        return message


def _expect(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if not 200 <= code < 300:
        raise _refused(code, text)


def _refused(code: int, text: bytes | str) -> Refused:
    said = text if isinstance(text, str) else text.decode(errors="replace")
    return Refused(f"the mail server refuses it: {code}", f"{code} {said}")
