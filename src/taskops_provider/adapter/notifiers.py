"""Channels as Airflow notifiers: e-mail, webhook, and any class of a site.

Notifiers find their connection as everywhere in Airflow: in the environment, in a secrets backend, in the metadata
database. The last one is looked in only by processes that say they are servers, which the API server does for itself;
the monitor's process and the command line say so here, as ``airflow connections`` does.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow._shared.module_loading import import_string
from airflow.sdk.bases.notifier import BaseNotifier

from taskops_provider.domain.alarms import EMAIL, WEBHOOK, Channel
from taskops_provider.exceptions import BadInput
from taskops_provider.notifications.outcome import MaybeSent, Refused

#: the provider that brings the webhook
_HTTP = "airflow.providers.http.notifications.http.HttpNotifier"
_NO_HTTP = "webhook needs apache-airflow-providers-http: install airflow-provider-taskops[alarms]"
#: seconds to wait for a webhook to answer
_TIMEOUT = 30


def check_channel(channel: Channel) -> None:
    """Refuse a channel that this installation does not have. Connections are looked up when something is sent.

    :raises BadInput: one line
    """
    if channel.channel == WEBHOOK:
        _http_notifier()
    elif channel.is_site_class:
        _check_arguments(_site_class(channel.channel), channel)


def send(channel: Channel, recipient: str, content: Mapping[str, Any], delivery_id: int) -> None:
    """Send one message, and wait until it is done.

    :param recipient: an address; empty for a channel that knows no persons
    :param content: ``subject``, ``text``, ``html`` and the facts
    :raises MaybeSent: when it was handed over and the answer was lost
    :raises Refused: when the other side works and does not want this message
    :raises Exception: when it was not sent
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    if channel.channel == EMAIL:
        _send_email(channel, recipient, content, delivery_id)
    elif channel.channel == WEBHOOK:
        _call_webhook(channel, content, delivery_id)
    else:
        _notify(channel, content, delivery_id)


def _send_email(channel: Channel, recipient: str, content: Mapping[str, Any], delivery_id: int) -> None:
    from taskops_provider.notifications.email import EmailNotifier

    EmailNotifier(
        to=recipient,
        subject=content["subject"],
        html_content=content["html"],
        text=content["text"],
        smtp_conn_id=channel.connection,
        from_email=channel.args.get("from_email"),
        headers={"X-TaskOps-Delivery": str(delivery_id)},
    ).notify({})


def _http_notifier() -> type[Any]:
    try:
        found: type[Any] = import_string(_HTTP)
    except ImportError:
        raise BadInput(_NO_HTTP) from None
    return found


def _call_webhook(channel: Channel, content: Mapping[str, Any], delivery_id: int) -> None:
    from requests.exceptions import ChunkedEncodingError, ReadTimeout

    connection = {"http_conn_id": channel.connection} if channel.connection else {}
    headers = {"Idempotency-Key": f"taskops-{delivery_id}", **channel.args.get("headers", {})}
    notifier = _http_notifier()(
        **connection,
        endpoint=channel.args.get("endpoint"),
        method=channel.args.get("method", "POST"),
        json=plain(payload(content, delivery_id)),
        headers={"Content-Type": "application/json", **headers},
        extra_options={"timeout": _TIMEOUT},
    )
    try:
        # not by calling the notifier: it would render its texts as templates, and they hold what people wrote
        notifier.notify({})
    except (ReadTimeout, ChunkedEncodingError) as error:
        raise MaybeSent(f"the webhook's answer was lost: {error}") from error
    except Exception as error:
        if type(error).__name__ == "HttpErrorException":
            raise Refused(str(error)) from error
        raise


def payload(content: Mapping[str, Any], delivery_id: int) -> dict[str, Any]:
    """What a webhook gets: the facts, and the texts that people get."""
    return {
        "delivery_id": delivery_id,
        "subject": content["subject"],
        "text": content["text"],
        **content.get("facts", {}),
    }


def plain(value: Any) -> Any:
    """Times as ISO 8601, the rest as it is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def _notify(channel: Channel, content: Mapping[str, Any], delivery_id: int) -> None:
    notifier = _site_class(channel.channel)(**_arguments(channel))
    # its arguments are templates that may name these; what they hold is not rendered again
    notifier(
        {
            "subject": content["subject"],
            "text": content["text"],
            "html": content["html"],
            "alarm": payload(content, delivery_id),
        }
    )


def _site_class(path: str) -> type[Any]:
    try:
        found = import_string(path)
    except Exception as error:
        raise BadInput(f"channel {path!r} cannot be imported: {type(error).__name__}: {error}") from None
    if not (inspect.isclass(found) and issubclass(found, BaseNotifier)):
        raise BadInput(f"channel {path!r} is no notifier: it is not derived from Airflow's BaseNotifier")
    return found


def _arguments(channel: Channel) -> dict[str, Any]:
    arguments = dict(channel.args)
    if channel.connection:
        name = _connection_parameter(_site_class(channel.channel))
        if name is None:
            raise BadInput(f"channel {channel.channel!r} takes no connection")
        arguments[name] = channel.connection
    return arguments


def _connection_parameter(notifier: type[Any]) -> str | None:
    names = inspect.signature(notifier).parameters
    return next((name for name in names if name == "conn_id" or name.endswith("_conn_id")), None)


def _check_arguments(notifier: type[Any], channel: Channel) -> None:
    try:
        inspect.signature(notifier).bind(**_arguments(channel))
    except TypeError as error:
        raise BadInput(f"args of {channel.channel!r} do not fit: {error}") from None
