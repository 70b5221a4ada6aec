"""What everybody may read of why a message was not sent (issue 12, S9)."""

from __future__ import annotations

import smtplib

import pytest
import requests
from sqlalchemy.exc import OperationalError

from taskops_provider.exceptions import BadInput
from taskops_provider.services.shared.public_errors import public_cause, public_error_line

SECRET = "Max retries exceeded with url: /services/T000/B000/secret (host='db.internal')"


def answered(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (requests.ConnectionError(SECRET), "ConnectionError"),
        (requests.HTTPError(SECRET, response=answered(503)), "HTTPError: 503"),
        (ConnectionRefusedError(111, "db.internal"), "ConnectionRefusedError: Connection refused"),
        (smtplib.SMTPAuthenticationError(535, b"user root, password secret"), "SMTPAuthenticationError: 535"),
        (KeyError("The conn_id `aws_prod` isn't defined"), "KeyError"),
        (BadInput("the webhook's connection has no host"), "the webhook's connection has no host"),
    ],
)
def test_an_error_tells_its_kind_and_no_text(error, told):
    assert public_error_line(error) == told


def test_the_number_of_the_error_that_a_hook_hides_isline_of():
    hidden = RuntimeError("500:Internal Server Error")
    hidden.__context__ = requests.HTTPError(SECRET, response=answered(500))
    assert public_error_line(hidden) == "HTTPError: 500"


def test_an_error_of_airflow_keeps_its_text_and_one_of_the_database_does_not():
    """What a replenishment waits for is for people to read."""
    assert public_cause(ValueError("a run\nof that date exists")) == "ValueError: a run of that date exists"
    hidden = ValueError("could not reach db.internal")
    hidden.__cause__ = OperationalError("SELECT 1", {}, Exception("db.internal"))
    assert "db.internal" not in public_cause(hidden)
    assert public_cause(TimeoutError(110, "10.0.0.7")) == "TimeoutError: Connection timed out"
