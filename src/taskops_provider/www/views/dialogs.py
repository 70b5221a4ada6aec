"""The base of views that answer with the contents of a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from taskops_provider.exceptions import BadInput
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters.changes import Answer
from taskops_provider.www.views.base import TaskOpsView


class DialogView(TaskOpsView):
    """A view whose presenters choose the part that is shown, its status and its headers."""

    def answer(self, present: Callable[[Asked], Answer]) -> Response:
        """Answer with what a presenter returns.

        :raises BadInput: when more was sent than is read
        """
        made: list[Answer] = []

        def shown(asked: Asked) -> dict[str, Any]:
            made.append(present(asked))
            return {"dialog_template": f"taskops/{made[0].template}", **made[0].shown}

        try:
            _ = request.form
        except RequestEntityTooLarge:
            raise BadInput("too many targets were named at once; take all rows under a filter instead") from None
        response = self.show("dialog.html", shown)
        response.status_code = made[0].status
        response.headers.update(made[0].headers)
        return response
