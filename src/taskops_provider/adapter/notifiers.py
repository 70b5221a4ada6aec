"""Channels as Airflow notifiers: e-mail, webhook, and the classes that an administrator released.

Notifiers find their connection as everywhere in Airflow: in the environment, in a secrets backend, in the metadata
database. The last one is looked in only by processes that say they are servers, which the API server does for itself;
the monitor's process and the command line say so here, as ``airflow connections`` does.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow._shared.module_loading import import_string
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.bases.notifier import BaseNotifier

from taskops_provider.domain.alarms.deliveries import EMAIL, WEBHOOK, MessageContent
from taskops_provider.domain.answers import Json
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import ReleasedChannel
from taskops_provider.notifications.outcome import MaybeSent, Refused

log = logging.getLogger(__name__)

#: the provider that brings the webhook
_HTTP = "airflow.providers.http.notifications.http.HttpNotifier"
_NO_HTTP = "webhook needs apache-airflow-providers-http: install airflow-provider-taskops[alarms]"
_HTTP_CONNECTION = "http_default"
#: seconds to wait for a webhook to answer
_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way.

    :param recipient: an address; empty for a channel that knows no persons
    """

    recipient: str
    content: MessageContent
    delivery_id: int


def check_channel(name: str, channel: ReleasedChannel, settings: Mapping[str, Any]) -> None:
    """Refuse a channel that does not work here. Connections are looked up when something is sent.

    People see that it does not work; why is for the administrator, in the log: it may name modules and files.

    :param name: of the channel
    :param settings: arguments that people set
    :raises BadInput: one line
    """
    try:
        if channel.notifier == WEBHOOK:
            _http_notifier()
        elif channel.notifier != EMAIL:
            notifier = _site_class(channel.notifier)
            inspect.signature(notifier).bind(**_arguments(notifier, channel, settings))
    except (BadInput, TypeError) as error:
        log.error("TaskOps' channel %s of [taskops] alarm_channels does not work: %s", name, error)
        raise BadInput(f"channel {name!r} does not work here; the log says why, tell an administrator") from None


def send(channel: ReleasedChannel, settings: Mapping[str, Any], message: Message) -> None:
    """Send one message, and wait until it is done.

    :param settings: arguments that people set
    :raises MaybeSent: when it was handed over and the answer was lost
    :raises Refused: when the other side works and does not want this message
    :raises Unsendable: when it cannot be sent at all
    :raises Exception: when it was not sent
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    if channel.notifier == EMAIL:
        _send_email(channel, message)
    elif channel.notifier == WEBHOOK:
        _call_webhook(channel, message)
    else:
        _notify(channel, settings, message)


def _send_email(channel: ReleasedChannel, message: Message) -> None:
    from taskops_provider.notifications.email import EmailNotifier

    content = message.content
    EmailNotifier(
        to=message.recipient,
        subject=content.subject,
        html_content=content.html,
        text=content.text,
        smtp_conn_id=channel.connection,
        from_email=channel.args.get("from_email"),
        headers={"X-TaskOps-Delivery": str(message.delivery_id)},
    ).notify({})


def _http_notifier() -> type[Any]:
    try:
        found: type[Any] = import_string(_HTTP)
    except ImportError:
        raise BadInput(_NO_HTTP) from None
    return found


def _call_webhook(channel: ReleasedChannel, message: Message) -> None:
    from requests.exceptions import ChunkedEncodingError, ReadTimeout

    connection = channel.connection or _HTTP_CONNECTION
    if not BaseHook.get_connection(connection).host:
        # else the endpoint would say which host gets the login of the connection
        raise BadInput("the webhook's connection has no host")
    headers = {"Idempotency-Key": f"taskops-{message.delivery_id}", **channel.args.get("headers", {})}
    notifier = _http_notifier()(
        http_conn_id=connection,
        endpoint=channel.args.get("endpoint"),
        method=channel.args.get("method", "POST"),
        json=payload(message.content, message.delivery_id),
        headers={"Content-Type": "application/json", **headers},
        extra_options={"timeout": _TIMEOUT},
    )
    try:
        # not by calling the notifier: it would render its texts as templates, and they hold what people wrote
        notifier.notify({})
    except (ReadTimeout, ChunkedEncodingError) as error:
        raise MaybeSent(f"the webhook's answer was lost: {type(error).__name__}") from error
    except Exception as error:
        if type(error).__name__ == "HttpErrorException":
            code = str(error).partition(":")[0]
            told = f"the webhook refuses it: {code}" if code.isdecimal() else "the webhook refuses it"
            raise Refused(told, str(error)) from error
        raise


def payload(content: MessageContent, delivery_id: int) -> Json:
    """What a webhook gets: the facts, and the texts that people get."""
    return {
        "delivery_id": delivery_id,
        "subject": content.subject,
        "text": content.text,
        **content.facts,
    }


def _notify(channel: ReleasedChannel, settings: Mapping[str, Any], message: Message) -> None:
    kind = _site_class(channel.notifier)
    notifier = kind(**_arguments(kind, channel, settings))
    # an administrator's arguments are templates that may name what follows; what people set is text, and stays as it is
    notifier.template_fields = tuple(name for name in kind.template_fields if name not in settings)
    content = message.content
    notifier(
        {
            "subject": content.subject,
            "text": content.text,
            "html": content.html,
            "alarm": payload(content, message.delivery_id),
        }
    )


def _site_class(path: str) -> type[Any]:
    try:
        found = import_string(path)
    except Exception as error:
        raise BadInput(f"{path!r} cannot be imported: {type(error).__name__}: {error}") from None
    if not (inspect.isclass(found) and issubclass(found, BaseNotifier)):
        raise BadInput(f"{path!r} is no notifier: it is not derived from Airflow's BaseNotifier")
    return found


def _arguments(notifier: type[Any], channel: ReleasedChannel, settings: Mapping[str, Any]) -> Json:
    if any(isinstance(one, str) and one.endswith(tuple(notifier.template_ext)) for one in settings.values()):
        raise BadInput("a text that people set ends like the name of a template's file")
    # what is fixed wins
    arguments = {**settings, **channel.args}
    if channel.connection:
        name = _connection_parameter(notifier)
        if name is None:
            raise BadInput(f"{channel.notifier!r} takes no connection")
        arguments[name] = channel.connection
    return arguments


def _connection_parameter(notifier: type[Any]) -> str | None:
    names = inspect.signature(notifier).parameters
    return next((name for name in names if name == "conn_id" or name.endswith("_conn_id")), None)
