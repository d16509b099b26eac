"""Flask-AppBuilder, moved under one prefix and without the doors this portal doesn't use."""

from typing import Any

from flask import Blueprint, current_app
from flask_appbuilder import AppBuilder
from flask_appbuilder.views import UtilView

from portal.backoffice.errors import show_errors_as_pages
from portal.backoffice.places import PREFIX


class BackofficeBuilder(AppBuilder):  # type: ignore[misc]
    """Every view, Flask-AppBuilder's own and a plugin's included, lives under `PREFIX`.

    Its REST, OpenAPI, menu and token log-in endpoints are not registered at all: the portal's
    API is its own, and `/` belongs to the traders' client.
    """

    def register_blueprint(
        self, baseview: Any, endpoint: str | None = None, static_folder: str | None = None
    ) -> None:
        """Register a view's routes under the prefix, its errors shown as pages."""
        own = baseview.route_base
        if own is None:
            own = "/" + type(baseview).__name__.lower()
        if own != PREFIX and not own.startswith(PREFIX + "/"):
            baseview.route_base = PREFIX + own
        blueprint = baseview.create_blueprint(self, endpoint=endpoint, static_folder=static_folder)
        show_errors_as_pages(blueprint)
        current_app.register_blueprint(blueprint)

    def _add_global_static(self) -> None:
        current_app.register_blueprint(
            Blueprint(
                "appbuilder",
                "flask_appbuilder.base",
                url_prefix=PREFIX + "/static",
                template_folder="templates",
                static_folder=self.static_folder,
                static_url_path=self.static_url_path,
            )
        )

    def _add_admin_views(self) -> None:
        self._indexview = self.add_view_no_menu(self.indexview)
        self.add_view_no_menu(UtilView)
        self.sm.register_views()
