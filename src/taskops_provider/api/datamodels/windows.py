"""Windows: planned pauses, freezes, and holding everything."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from taskops_provider.api.datamodels.common import PageQuery
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.inputs.fields import Input, Moment, Name
from taskops_provider.inputs.windows.window import Kinds, ScopeInput, WindowCreate
from taskops_provider.services.windows.calendar_file import MAX_LENGTH
from taskops_provider.services.windows.listing import WindowFilter

_Part = Annotated[Json, BeforeValidator(to_plain_data)]


class Window(BaseModel):
    """One window."""

    window_id: int
    name: str
    purpose: WindowPurpose = Field(description="`window`; or how else it came to be: `skip_next`, `hold_all`.")
    kinds: list[WindowKind]
    downstream: Downstream | None = Field(description="Of one that pauses: what becomes of the tasks' instances.")
    scope: _Part = Field(description="What it covers, as far as you may see it.")
    times: _Part = Field(description="When it is open, as it was written.")
    reason: str | None
    enabled: bool
    open_until: datetime | None = Field(description="Null: it is not open now.")
    next_begin: datetime | None = Field(description="Null: it does not open again.")
    next_end: datetime | None
    version: int = Field(description="Counts the changes.")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    problem: str | None = Field(description="Why it is set aside until somebody corrects it. Null if all is well.")


class Windows(BaseModel):
    """One page of windows."""

    windows: list[Window] = Field(validation_alias="rows")
    total_entries: int


class MadeWindows(BaseModel):
    """Windows that were made at once."""

    windows: list[Window]


class WindowsQuery(PageQuery):
    """Which windows."""

    dag_id: Name | None = Field(None, description="Those that cover something of this workflow.")
    kind: list[WindowKind] = Field(default=[], max_length=50, description="Any of these kinds.")
    purpose: list[WindowPurpose] = Field(default=[], max_length=50, description="Any of these purposes.")
    search: Name | None = Field(None, description="Part of the name or the reason.")
    open: bool | None = Field(None, description="Those that are open now, or those alone that are not.")

    def filter(self) -> WindowFilter:
        """As the services take it."""
        return WindowFilter(
            dag_id=self.dag_id or "",
            kinds=tuple(kind.value for kind in self.kind),
            purposes=tuple(purpose.value for purpose in self.purpose),
            search=self.search or "",
            open_now=self.open,
        )


class StoppedCycle(BaseModel):
    """A run that Airflow's schedule would make in a window."""

    dag_id: str
    logical_date: datetime
    run_after: datetime


class Occurrence(BaseModel):
    """One time at which a window is open, and what it stops."""

    begin: datetime
    end: datetime
    cycles: list[StoppedCycle]
    more_cycles: int = Field(description="How many there are at least beyond these.")


class WindowPreview(BaseModel):
    """What a window would do."""

    occurrences: list[Occurrence]
    workflows: int
    tasks: int
    not_looked_at: int = Field(description="Workflows of which the cycles are not told: there are too many.")
    without_cycles: list[str] = Field(description="Workflows that are paused, or not scheduled by time.")


class PreviewBody(WindowCreate):
    """A window to preview."""

    occurrences: int = Field(5, ge=1, le=50, description="The next so many times.")

    def asked(self) -> WindowCreate:
        """The window itself."""
        return WindowCreate.model_construct(
            self.model_fields_set - {"occurrences"},
            **{name: getattr(self, name) for name in WindowCreate.model_fields},
        )


class PreviewQuery(Input):
    """How much to preview."""

    occurrences: int = Field(5, ge=1, le=50, description="The next so many times.")


class CalendarQuery(Input):
    """Which part of the calendar."""

    begin: Moment = Field(description="From then.")
    end: Moment = Field(description="At most 62 days later.")


class CalendarEntry(BaseModel):
    """Something on the calendar."""

    what: str = Field(description="`window`, or `resume`: tasks start again by themselves.")
    begin: datetime
    end: datetime
    title: str
    window_id: int | None
    kinds: list[WindowKind]
    dag_id: str | None


class CalendarEntries(BaseModel):
    """A part of the calendar."""

    entries: list[CalendarEntry]


class ImportBody(Input):
    """An iCalendar file."""

    content: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH, description="The text of the file.")]
    kinds: Kinds | None = Field(None, description="Of events that do not say.")
    downstream: Downstream | None = Field(None, description="Of events that do not say.")
    scope: ScopeInput | None = Field(None, description="Of events that do not say.")

    def defaults(self) -> Json:
        """What events that do not say are to be."""
        given = {"kinds": self.kinds, "downstream": self.downstream, "scope": self.scope}
        return {name: to_plain_data(value) for name, value in given.items() if value is not None}


class HeldOrReleased(BaseModel):
    """What came of holding or releasing."""

    window_ids: list[int]
    operation_id: int
    workflows: int
    instances: int = Field(description="Those that had not begun and wait now; 0 when releasing.")
    released_by: datetime | None = Field(description="When the last wave is released.")
