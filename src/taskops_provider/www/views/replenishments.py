"""The replenishments: the list, one of them, and what is done to it."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_appbuilder import expose

from taskops_provider.services.replenishments.control import ControlVerb
from taskops_provider.www.presenters.replenishments import actions, listing, page
from taskops_provider.www.views.dialogs import DialogView

_VERBS = ",".join(repr(verb.value) for verb in ControlVerb)


class TaskOpsReplenishmentsView(DialogView):
    """``/pluginsv2/taskops/replenishments`` and ``/pluginsv2/taskops/replenishment?id=3``."""

    default_view = "list"

    @expose("/replenishments")
    def list(self) -> Response:
        """Show one page of the replenishments that match the filter."""
        return self.show("replenishments/listing.html", listing.replenishments_page)

    @expose("/replenishments/progress")
    def list_progress(self) -> Response:
        """Answer with the rows that have not ended, for the page that shows them."""
        return self.show("replenishments/listing_progress.html", listing.replenishments_progress)

    @expose("/replenishment")
    def details(self) -> Response:
        """Show one replenishment and a part of its grid."""
        return self.show("replenishments/page.html", page.replenishment_page)

    @expose("/replenishment/progress")
    def progress(self) -> Response:
        """Answer with what has changed since the page last looked."""
        return self.show("replenishments/progress.html", page.replenishment_progress)

    @expose(f"/replenishment/<any({_VERBS}):verb>", methods=["POST"])
    def control(self, verb: str) -> Response:
        """Ask whether to pause, resume, cancel or retry, or do it."""
        return self.answer(partial(actions.control_dialog, verb=ControlVerb(verb)))
