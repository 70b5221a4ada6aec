"""The settings."""

from __future__ import annotations

from flask import Response
from flask_appbuilder import expose

from taskops_provider.www.presenters import settings
from taskops_provider.www.views.dialogs import DialogView


class TaskOpsSettingsView(DialogView):
    """``/pluginsv2/taskops/settings``."""

    default_view = "settings"

    @expose("/settings")
    def settings(self) -> Response:
        """Show strict mode of projects, the configuration and the health of the installation."""
        return self.show("settings/page.html", settings.settings_page)

    @expose("/settings", methods=["POST"])
    def change(self) -> Response:
        """Preview or make a change of strict mode."""
        return self.answer(settings.change_strict_mode)
