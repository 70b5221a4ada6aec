"""Names longer than a column are told apart (issue 12, Low: FAB names have 512 characters)."""

from __future__ import annotations

from taskops_provider.services.shared.actor import NAME_LENGTH, Actor, UnrestrictedPermissions, recorded_name


def test_long_names_that_begin_alike_differ():
    one, other = "n" * 400 + "a", "n" * 400 + "b"
    assert recorded_name(one) != recorded_name(other)
    assert len(recorded_name(one)) == NAME_LENGTH
    assert recorded_name(one).startswith("nnnn")
    assert recorded_name("n" * NAME_LENGTH) == "n" * NAME_LENGTH
    assert Actor(one, "api", UnrestrictedPermissions()).recorded_name == recorded_name(one)
