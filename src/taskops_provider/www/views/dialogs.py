"""The base of views that answer with the contents of a dialog."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge

from taskops_provider.exceptions import BadInput
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.answer import DialogAnswer, variables
from taskops_provider.www.views.base import TaskOpsView, render


class DialogView(TaskOpsView):
    """A view whose presenters choose the part that is shown, its status and its headers."""

    def answer(self, present: Callable[[PageRequest], DialogAnswer]) -> Response:
        """Answer with what a presenter returns.

        :raises BadInput: when more was sent than is read
        """
        try:
            _ = request.form
        except RequestEntityTooLarge:
            raise BadInput("too many targets were named at once; take all rows under a filter instead") from None
        answer, around = self.ask(present)
        page = render(
            "shared/dialog.html", dialog_template=f"taskops/{answer.template}", **around, **variables(answer.shown)
        )
        return make_response(page, answer.status, answer.headers)
