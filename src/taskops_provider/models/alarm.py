"""Alarms: the rules, what they produced, and the deliveries about it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.domain.answers import Json
from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class AlarmRule(Base):
    """One rule: what it watches, and who is told how."""

    __tablename__ = "taskops_alarm_rule"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(250), nullable=False)
    #: task, workflow or project
    scope: Mapped[str] = mapped_column(String(12), nullable=False)
    #: empty where the scope has none, as the next two
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    project: Mapped[str] = mapped_column(StringID(), nullable=False)
    kind: Mapped[str] = mapped_column(String(32), nullable=False)
    #: of ``failed``: which failure, as in its parameters; else empty
    on: Mapped[str] = mapped_column("on_failure", String(20), nullable=False, default="")
    level: Mapped[int] = mapped_column(Integer, nullable=False)
    #: parameters, recipients, channels, quiet_hours, repeat, escalation
    body: Mapped[Json] = mapped_column(JSON, nullable=False)
    enabled: Mapped[bool] = mapped_column(Boolean, nullable=False)
    #: what ended before is not seen
    active_since: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: of a rule with a deadline: the next one
    next_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    created_by: Mapped[str] = mapped_column(String(250), nullable=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    changed_by: Mapped[str] = mapped_column(String(250), nullable=False)
    #: counts the changes
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)

    __table_args__ = (
        Index(None, "dag_id", "task_id"),
        Index(None, "project"),
        Index(None, "kind", "enabled"),
        Index(None, "next_due_at"),
    )


class AlarmEvent(Base):
    """One alarm. ``key`` makes it the only one of its kind, however many monitors evaluate the rules."""

    __tablename__ = "taskops_alarm_event"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    rule_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    key: Mapped[str] = mapped_column(String(64), nullable=False)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: empty for a workflow as such
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    run_id: Mapped[str | None] = mapped_column(StringID(), nullable=True)
    map_index: Mapped[int] = mapped_column(Integer, nullable=False, default=-1)
    #: of an instance in a loop, or of a mapped one, if Airflow keeps regions: which execution (``adapter.loops``)
    region_id: Mapped[UUID | None] = mapped_column(Uuid(), nullable=True)
    #: which try, or round of tries, of the instance
    attempt: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    data_time: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    kind: Mapped[str] = mapped_column(String(32), nullable=False)
    level: Mapped[int] = mapped_column(Integer, nullable=False)
    #: what the message says
    facts: Mapped[Json] = mapped_column(JSON, nullable=False)
    fired_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: owners and users who have no address
    unreachable: Mapped[list[str]] = mapped_column(JSON, nullable=False)
    #: quiet hours: nothing is sent before
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    confirmed_by: Mapped[str | None] = mapped_column(String(250), nullable=True)
    repeats: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    next_repeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: when others are told, NULL once they have been
    escalates_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)

    __table_args__ = (
        UniqueConstraint("rule_id", "key"),
        Index(None, "fired_at"),
        Index(None, "dag_id", "task_id", "run_id"),
        Index(None, "held_until"),
        Index(None, "next_repeat_at"),
        Index(None, "escalates_at"),
    )


class AlarmDelivery(Base):
    """One message to one person, or to one channel that knows no persons."""

    __tablename__ = "taskops_alarm_delivery"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    #: what it is about: alarms, of which the first; NULL for a notice or a test
    event_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    rule_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: the operation that a notice is about
    operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: firing, repeat, escalation, notice or test
    why: Mapped[str] = mapped_column(String(12), nullable=False)
    #: messages of one key are sent one after the other
    channel_key: Mapped[str] = mapped_column(String(250), nullable=False)
    channel: Mapped[Json] = mapped_column(JSON, nullable=False)
    #: an address; empty for a channel that knows no persons
    recipient: Mapped[str] = mapped_column(String(254), nullable=False)
    #: the address was found by a name, so that it is not for everybody to read
    by_name: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    #: subject, text, html and facts
    content: Mapped[Json] = mapped_column(JSON, nullable=False)
    #: waiting, sending, sent, uncertain or failed
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: tried until then
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: who sends it, since when
    sender: Mapped[str | None] = mapped_column(String(250), nullable=True)
    sending_since: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    last_error: Mapped[str | None] = mapped_column(Text, nullable=True)

    __table_args__ = (
        Index(None, "state", "next_attempt_at"),
        Index(None, "channel_key", "state", "next_attempt_at"),
        Index(None, "event_id"),
        Index(None, "operation_id"),
        Index(None, "created_at"),
    )
