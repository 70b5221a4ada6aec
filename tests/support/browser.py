"""Headless Chromium, and the ways of a person through Airflow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.support.live import FAB, SIMPLE, LiveAirflow

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 60_000
#: for tests that are about the auth manager; the others are asked under FabAuthManager alone. It comes first in both:
#: pytest puts tests together by the number of their parameter, and each change is another start of Airflow
both = pytest.mark.parametrize("server", [FAB, SIMPLE], ids=["fab", "simple"], indirect=True)

#: for tests of what our pages and Airflow's UI do together, in modules that open our pages alone
inside_airflow = pytest.mark.parametrize("in_airflow", [True], ids=["inside"])


def cannot_run(reason: str) -> None:
    """Skip the test, or fail it where everything is to run."""
    if os.environ.get("TASKOPS_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if not executable:
        cannot_run("no chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


#: where Airflow's UI shows our pages, before their own address
INSIDE = "plugin/taskops/"


class Person:
    """Somebody at a browser, signed out at first.

    Our pages are opened inside Airflow's UI, or alone: without Airflow's scripts a page costs a quarter of the time.
    """

    def __init__(self, browser: Any, server: LiveAirflow, *, in_airflow: bool = True, **context: Any):
        self.server = server
        self.in_airflow = in_airflow
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **context)
        self.context.set_default_timeout(WAIT_MS)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        # what our pages complain of; Airflow's login page has errors of its own
        self.page.on("pageerror", lambda error: self._note(error.message, error.stack or ""))
        self.page.on("console", lambda message: self._note(message.text, message.text))

    def _note(self, message: str, source: str) -> None:
        if "taskops/static" in source or "Content Security Policy" in message:
            self.errors.append(message)

    @property
    def frame(self) -> Any:
        """Our page, which is inside Airflow's or alone."""
        return self.page.frame_locator('iframe[title="TaskOps"]') if self.in_airflow else self.page

    def heading(self) -> Any:
        """The heading of our page, its scripts running: how many rows there are."""
        return self.frame.locator("html.ready h1")

    def heading_or_message(self) -> Any:
        """What a page has in any case."""
        return self.frame.locator("html.ready h1").first

    def go(self, path: str) -> None:
        """Open an address of the server; a page of ours with its scripts running: what is pressed before is lost."""
        is_ours = path.startswith(INSIDE)
        self.page.goto(f"{self.server.url}/{path if self.in_airflow else path.removeprefix(INSIDE)}")
        if is_ours:
            self.is_ready()

    def is_ready(self) -> None:
        """Wait until our page has its scripts running."""
        self.frame.locator("html.ready").wait_for(state="attached")

    def fill_in_login(self, name: str) -> None:
        """Sign in on the login page, wherever that leads."""
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", name)
        self.page.click("input[type=submit], button[type=submit]")
        self.page.wait_for_url(lambda url: "/auth/login" not in url)

    def sign_in(self, name: str) -> None:
        """Come in by the front door."""
        self.go("")
        self.fill_in_login(name)

    def signed_in(self, name: str) -> None:
        """Be signed in already, which is quicker."""
        self.context.add_cookies([{"name": "_token", "value": self.server.token(name), "url": self.server.url}])

    def local(self, **items: str) -> None:
        """Keep settings of Airflow's UI in the browser: ``theme``, ``timezone`` (in quotes)."""
        self.go("api/v2/version")  # a page of the server without a script that would write them too
        for name, value in items.items():
            self.page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, value])

    @property
    def is_fab(self) -> bool:
        """Whether the server has FabAuthManager."""
        return self.server.auth_manager == FAB
