"""A use case that may roll back and begin again is the first in its transaction: else what was before would be lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import Setting, Workflow
from taskops_provider.services.shared.retries import NotFirstInTransaction, retried
from tests.support.warehouse import START, install, retail


@retried
def change(session: Session) -> None:
    session.execute(update(Workflow).values(folder="new"))


def add(session: Session) -> None:
    session.add(Setting(project="p", name="n", value="v", changed_at=START, changed_by="alice"))


def flush(session: Session) -> None:
    add(session)
    session.flush()


def modify(session: Session) -> None:
    session.scalars(select(Workflow).limit(1)).one().folder = "old"


def send(session: Session) -> None:
    session.execute(update(Workflow).values(folder="old").execution_options(synchronize_session=False))


def nest(session: Session) -> None:
    session.begin_nested()


@pytest.mark.parametrize("before", [add, flush, modify, send, nest])
def test_what_was_written_before_is_not_put_at_risk(session, before: Callable[[Session], None]):
    install(session, retail())
    before(session)
    with pytest.raises(NotFirstInTransaction, match=r"change may roll its transaction back .*commit"):
        change(session)
    session.rollback()
    assert "new" not in session.scalars(select(Workflow.folder)).all()


def test_what_was_only_read_before_does_not_matter(session):
    install(session, retail())
    workflow = session.scalars(select(Workflow).limit(1)).one()
    workflow.folder = str(workflow.folder)
    change(session)
    session.commit()
    session.execute(update(Workflow).values(folder="old"))
    session.commit()
    change(session)
    assert set(session.scalars(select(Workflow.folder))) == {"new"}


@retried
def refuse(session: Session) -> None:
    session.execute(update(Workflow).values(folder="half"))
    raise ValueError("refused")


def test_one_that_is_refused_leaves_nothing_behind(session):
    """What follows in the same session, another attempt say, is first in its transaction again."""
    install(session, retail())
    with pytest.raises(ValueError, match="refused"):
        refuse(session)
    change(session)
    session.commit()
    assert set(session.scalars(select(Workflow.folder))) == {"new"}
