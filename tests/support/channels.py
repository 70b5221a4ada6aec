"""The channels that an administrator released in the tests: ``[taskops] alarm_channels``."""

from __future__ import annotations

import json

#: a class of Airflow's own, of which people may set two arguments
MEMO = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "connection": "smtp_ops",
    "args": {"to": "memo@example.com", "html_content": "{{ text }}", "subject": "{{ subject }}"},
    "may_set": {"mime_charset": {"choices": ["utf-8", "us-ascii"]}, "from_email": {"max_length": 40}},
}
RELEASED = {
    "chat": {"notifier": "webhook", "connection": "chat", "args": {"endpoint": "hooks/ops"}},
    "ops-mail": {"notifier": "email", "connection": "smtp_ops"},
    "memo": MEMO,
}
SETTING = {"AIRFLOW__TASKOPS__ALARM_CHANNELS": json.dumps(RELEASED)}
