"""The diagram of a workflow."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters import diagram
from taskops_provider.www.views.base import TaskOpsView


class TaskOpsDiagramView(TaskOpsView):
    """``/pluginsv2/taskops/diagram?dag_id=...``."""

    default_view = "diagram"

    @expose("/diagram")
    def diagram(self) -> Response:
        """Show the diagram as a page."""
        return self.show("diagram/page.html", diagram.diagram_page)

    @expose("/diagram/part")
    def part(self) -> Response:
        """Show the diagram for a place in another page."""
        return self.show("diagram/part.html", diagram.diagram_page)
