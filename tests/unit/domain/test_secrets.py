"""Secrets in addresses are masked wherever they stand (issue 12, Low)."""

from __future__ import annotations

import pytest

from taskops_provider import config
from taskops_provider.domain.alarms.secrets import find_secret
from taskops_provider.domain.secrets import without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://bucket/folder", "s3://bucket/folder"),
        ("s3://key:se/cr@et@bucket/folder", "s3://***@bucket/folder"),
        ("s3://key:se?cr#et@bucket/folder", "s3://***@bucket/folder"),
        ("s3://secret-key@bucket", "s3://***@bucket"),
        ("abfs://box@account/x?sig=secret&a=b", "abfs://***@account/x?***"),
        ("file:///exports#secret", "file:///exports#***"),
        ("tests.module.function", "tests.module.function"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert without_secrets(address) == shown


@pytest.mark.parametrize(
    ("value", "is_secret"),
    [
        ("https://user:pass/word@host/x", True),
        ("see http://u:p@host and more", True),
        ("https://host/x?a=b&access_token=abc", True),
        ("https://host/x#password=abc", True),
        ("https://host:8080/a@b", False),
        ("https://host/x?page=2", False),
        ("//" * 5_000 + "@" * 5_000, False),
        ("ann@example.com", False),
    ],
)
def test_arguments_with_secrets_are_found(value, is_secret):
    assert bool(find_secret({"to": value})) is is_secret


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("s3://key:sec/ret@bucket/x?token=secret", "s3://***@bucket/x?***"),
        ("file:///exports", "file:///exports"),
    ],
)
def test_the_settings_page_masks_the_address_of_exports(monkeypatch, value, shown):
    monkeypatch.setenv("AIRFLOW__TASKOPS__EXPORTS_URL", value)
    assert {one.name: one.value for one in config.options()}["exports_url"] == shown


def test_of_channels_the_names_are_shown(monkeypatch):
    monkeypatch.setenv("AIRFLOW__TASKOPS__NOTICE_CHANNELS", '["email", {"channel": "chat", "args": {"to": "secret"}}]')
    assert {one.name: one.value for one in config.options()}["notice_channels"] == "email, chat"
