"""The base of all views: nobody gets past it without a user, whatever a view forgets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request
from flask_appbuilder import BaseView
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from taskops_provider.exceptions import Forbidden, TaskOpsError
from taskops_provider.services.health import require_tables
from taskops_provider.www import csrf, host
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import health
from taskops_provider.www.presenters.answer import variables
from taskops_provider.www.urls import Urls

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: what a presenter returns
Presented = TypeVar("Presented")

log = logging.getLogger(__name__)

#: scripts and styles are files of ours; Airflow's frame has the same origin
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class TaskOpsView(BaseView):
    """A page. It admits signed-in users only, hands presenters what they need and shows errors as pages.

    The admission hangs on the blueprint that AppBuilder makes of a view, so that every route of every subclass has it.
    """

    route_base = "/taskops"

    def create_blueprint(
        self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None
    ) -> Blueprint:
        """Return the view's routes, all of them guarded."""
        blueprint: Blueprint = super().create_blueprint(appbuilder, endpoint, static_folder)
        blueprint.before_request(admit)
        blueprint.after_request(_add_headers)
        blueprint.register_error_handler(Exception, _show_error)
        # flask-wtf's own check keeps its token in the session, which may not be written; ours stands in its place
        if protection := current_app.extensions.get("csrf"):
            protection.exempt(blueprint)
        return blueprint

    def show(self, template: str, present: Callable[[PageRequest], DataclassInstance]) -> Response:
        """Answer with a page, or with a part of one.

        :param present: a presenter: returns what the template shows
        """
        shown, around = self.ask(present)
        return make_response(render(template, **around, **variables(shown)))

    def ask(self, present: Callable[[PageRequest], Presented]) -> tuple[Presented, dict[str, object]]:
        """Return what a presenter answers, and what every page has around it.

        The presenter's transaction is committed before a page is made of what it returned; an error undoes it.
        """
        with host.open_session() as session:
            asked = PageRequest(
                # fields of a form win over those of its address
                args=request.args.to_dict(flat=False) | request.form.to_dict(flat=False),
                actor=g.taskops_actor,
                session=session,
                now=datetime.now(UTC),
                urls=_urls(),
            )
            try:
                return present(asked), {} if is_part() else {"banner": health.banner(asked)}
            except DBAPIError:
                session.rollback()
                require_tables(session)
                raise


def admit() -> Response | None:
    """Find out who asks and keep it for the view; send anonymous ones to the login. Changes must bring a token."""
    user = host.identify(request.cookies.get(host.COOKIE_NAME_JWT_TOKEN), request.headers.get("Authorization"))
    if user is None:
        return _ask_to_sign_in()
    user_id = str(user.get_id())
    if request.method not in SAFE_METHODS and not csrf.is_valid(request.headers.get(csrf.HEADER), _secret(), user_id):
        raise Forbidden("This page is too old to change anything, or another site asked. Reload it and try again.")
    g.taskops_actor = host.actor_of(user)
    g.taskops_csrf_token = csrf.make_token(_secret(), user_id)
    return None


def _secret() -> str | bytes:
    secret = current_app.secret_key
    if not secret:
        raise RuntimeError("Airflow's web application has no [api] secret_key")
    return secret


def render(template: str, **shown: Any) -> str:
    """Return a page of a template, with what every template is given."""
    return render_template(
        f"taskops/{template}",
        urls=_urls(),
        csrf_header=csrf.HEADER,
        csrf_token=g.get("taskops_csrf_token", ""),
        is_part=is_part(),
        **shown,
    )


def is_part() -> bool:
    """Whether a script asks for a part of a page (htmx), to put it into the page that is there."""
    return "HX-Request" in request.headers


def _urls() -> Urls:
    return Urls(host.airflow_path())


def _ask_to_sign_in() -> Response:
    """Lead to Airflow's login and from there back to this page, inside Airflow."""
    if is_part() or request.method not in SAFE_METHODS:
        # the page around the part asks again as a whole, and is then led to the login
        return _add_headers(make_response("", 401, {"HX-Refresh": "true"}))
    page = request.path.removeprefix(f"{TaskOpsView.route_base}/")
    login = host.login_url(_urls().framed(page, request.args.to_dict(flat=False)))
    # browsers leave the header out on plain http; a page that was followed from another one may be in the frame
    destination = request.headers.get("Sec-Fetch-Dest", "frame" if request.referrer else "document")
    if destination == "document":
        return _add_headers(redirect(login))  # type: ignore[arg-type]
    # in a frame the login would show inside Airflow's own page: the script of this one takes the whole window there
    return _message("Signed out", "Your session has ended.", 401, login_url=login)


def _show_error(error: Exception) -> Response | HTTPException:
    if isinstance(error, TaskOpsError):
        return _message("TaskOps cannot show this page", str(error), error.http_status)
    if isinstance(error, HTTPException):
        return error
    log.exception("TaskOps could not show %s", request.path)
    return _message("Something went wrong", "The page could not be made; the API server's log says why.", 500)


def _message(title: str, text: str, status: int, **more: Any) -> Response:
    template = "shared/message_part.html" if is_part() else "shared/message.html"
    return _add_headers(make_response(render(template, title=title, text=text, **more), status))


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
