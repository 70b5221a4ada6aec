"""Who is told."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator

from taskops_provider.domain.alarms.addresses import MAX_LENGTH, is_address
from taskops_provider.inputs.alarms.fields import RulePart
from taskops_provider.inputs.problems import predicate
from taskops_provider.inputs.wording import not_allowed

MAX_PEOPLE = 100


def _name(given: str) -> str:
    if not given.strip() or len(given) > MAX_LENGTH or not given.isprintable():
        raise predicate(f"{given[:40]!r} is no name")
    return given.strip()


def _address(given: str) -> str:
    if not is_address(given):
        raise predicate(not_allowed(given, "is an e-mail address"))
    return given


def _once(given: list[str]) -> list[str]:
    return list(dict.fromkeys(given))


_Name = Annotated[str, StringConstraints(max_length=500), AfterValidator(_name)]
_Names = Annotated[list[_Name], Field(max_length=MAX_PEOPLE), AfterValidator(_once)]
_Addresses = Annotated[
    list[Annotated[_Name, AfterValidator(_address)]], Field(max_length=MAX_PEOPLE), AfterValidator(_once)
]


class Recipients(RulePart):
    """Who is told."""

    owners: StrictBool = Field(default=False, description="The owners of the task.")
    users: _Names = Field(default=[], description="Users of Airflow.")
    addresses: _Addresses = Field(default=[], description="E-mail addresses.")

    def __bool__(self) -> bool:
        return bool(self.owners or self.users or self.addresses)

    @property
    def words(self) -> list[str]:
        """Who is told, as people read it: ``owners``, names, addresses."""
        return [*(["owners"] if self.owners else []), *self.users, *self.addresses]

    @model_validator(mode="after")
    def _are_not_too_many(self) -> Self:
        number = len(self.users) + len(self.addresses)
        if number > MAX_PEOPLE:
            raise predicate(f"names {number}; at most {MAX_PEOPLE} are kept")
        return self
