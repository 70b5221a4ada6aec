"""Airflow connections in every form in which people write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.errors import BadConnection


def endpoint(**fields: Any) -> Endpoint:
    extra = fields.pop("extra", {})
    connection = Connection(conn_id="c", conn_type="taskops", extra=json.dumps(extra), **fields)
    return Endpoint.from_connection("c", connection, connection.extra_dejson)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "airflow.example.com"}, "https://airflow.example.com"),
        ({"host": "airflow.example.com", "port": 8080}, "https://airflow.example.com:8080"),
        ({"host": "airflow.example.com", "port": 8080, "schema": "http"}, "http://airflow.example.com:8080"),
        ({"host": "http://airflow.example.com:8080"}, "http://airflow.example.com:8080"),
        ({"host": "airflow.example.com", "schema": "https"}, "https://airflow.example.com"),
        ({"host": "airflow.example.com", "schema": " HTTPS "}, "https://airflow.example.com"),
        ({"host": "airflow.example.com:8080/prefix/", "schema": "https"}, "https://airflow.example.com:8080/prefix"),
        ({"host": "https://airflow.example.com/a/b/", "port": 8443}, "https://airflow.example.com:8443/a/b"),
        # what is in the address counts more than the fields beside it
        ({"host": "https://airflow.example.com:1", "port": 2, "schema": "http"}, "https://airflow.example.com:1"),
        ({"host": " http://[::1]:8080 "}, "http://[::1]:8080"),
    ],
)
def test_the_address(fields, url):
    assert endpoint(**fields).url == url


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "has no host: give it the address of Airflow's API server"),
        ({"host": "ftp://x"}, "has the scheme 'ftp'; allowed are http and https"),
        ({"host": "x", "schema": "prod"}, "has the scheme 'prod'"),
        ({"host": "http://"}, "names no server"),
        ({"host": "http://me:pw@x"}, "put it into login and password"),
        ({"host": "http://x/?a=b"}, "is an address with ? or #"),
        ({"host": "http://x:port"}, "is no address"),
        ({"host": "http://[::1"}, "is no address"),
        ({"host": "x", "login": "me"}, "has the login 'me' and no password"),
        ({"host": "x", "login": "me", "password": "p", "extra": {"token": "t"}}, "both a login and a token"),
        ({"host": "x", "extra": {"timeout": "soon"}}, "timeout is 'soon'; it must be a number above 0, at most 3600"),
        ({"host": "x", "extra": {"timeout": 0}}, "timeout is 0"),
        ({"host": "x", "extra": {"timeout": "nan"}}, "timeout is 'nan'"),
        ({"host": "x", "extra": {"retries": -1}}, "retries is -1"),
        ({"host": "x", "extra": {"retries": 21}}, "retries is 21"),
    ],
)
def test_what_cannot_be(fields, told):
    with pytest.raises(BadConnection) as caught:
        endpoint(**fields)
    assert told in str(caught.value)
    assert str(caught.value).startswith("connection 'c'")


@pytest.mark.parametrize(
    "host",
    [
        "https://me:hunter2@x",
        "me:hunter2@x",
        "ftp://me:hunter2@x",
        "https://me:hunter2@[::1",
        "https://me:hunter2@x:port",
        "https://me:hun/hunter2@x",
        "https://me:12/hunter2@x",
        "https://me:a?hunter2@x",
        "https://me:a#hunter2@x",
        "https://hunter2@x",
        "https://me:hunter2",
        "https://x/?token=hunter2",
        "https://x/#hunter2",
        "me:hunter2://x@y",
    ],
)
def test_a_password_in_the_host_field_is_in_no_message(host):
    with pytest.raises(BadConnection) as caught:
        endpoint(host=host)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_extras_from_a_uri_come_as_text():
    connection = Connection(
        conn_id="c", uri="taskops://me:pass%2Fword@airflow.example.com:8080/https?timeout=2.5&retries=0&verify=false"
    )
    made = Endpoint.from_connection("c", connection, connection.extra_dejson)
    assert made.url == "https://airflow.example.com:8080"
    assert (made.login, made.password, made.token) == ("me", "pass/word", None)
    assert (made.timeout, made.retries, made.verify) == (2.5, 0, False)


def test_a_whole_address_survives_the_uri_that_airflow_makes_of_it():
    """The connection form's test button goes through an environment variable."""
    connection = Connection(
        conn_id="c", conn_type="taskops", host="https://airflow.example.com/a/b", port=8443, login="me", password="p"
    )
    again = Connection(conn_id="c", uri=connection.get_uri())
    assert Endpoint.from_connection("c", again, again.extra_dejson).url == "https://airflow.example.com:8443/a/b"


@pytest.mark.parametrize(
    ("value", "verify"),
    [(None, True), ("", True), (True, True), (False, False), ("False", False), ("yes", True), ("/ca.pem", "/ca.pem")],
)
def test_verify(value, verify):
    assert endpoint(host="x", extra={"verify": value}).verify == verify
