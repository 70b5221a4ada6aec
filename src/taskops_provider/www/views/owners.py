"""Names that are offered while somebody types an owner."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters.lists import owners
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsOwnersView(TaskOpsView):
    """``/pluginsv2/taskops/owners?q=...``: a part of a page."""

    default_view = "part"

    @expose("/owners")
    def part(self) -> Response:
        """Answer with names that have a part in them."""
        return self.show("lists/owners_found.html", owners.found_owners)
