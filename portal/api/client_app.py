"""Serving the built H5 client: its files as they are, and its page for every other address."""

from pathlib import Path, PurePosixPath

from flask import Blueprint, Flask, Response, abort, send_from_directory
from werkzeug.routing import PathConverter
from werkzeug.security import safe_join

from portal.api.headers import client_policy
from portal.core.settings import Settings

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>The H5 client is not built</title>
<h1>The H5 client is not built yet</h1>
<p>Run <code>make setup</code> in the repository, or set <code>H5_DIST</code> to a built client.</p>
<p>The back office is at <a href="/backoffice/">/backoffice/</a>.</p></html>
"""


class ClientPath(PathConverter):
    """Every address that is not the API's or the back office's: those answer for themselves."""

    regex = r"(?!api(?:/|$)|backoffice(?:/|$)|static/)[^/].*?"


def serve_client(app: Flask, settings: Settings) -> None:
    """Serve the H5 client in `settings.h5_dist`; built or not is looked up each time."""
    app.url_map.converters["client_path"] = ClientPath
    app.register_blueprint(_blueprint(settings))


def _blueprint(settings: Settings) -> Blueprint:
    blueprint = Blueprint("h5_client", __name__)
    folder, policy = settings.h5_dist.resolve(), client_policy(settings)

    @blueprint.get("/", defaults={"path": ""})
    @blueprint.get("/<client_path:path>")
    def client(path: str) -> Response:
        file = safe_join(str(folder), path)
        if file is None:
            abort(404)  # Outside: whether there is such a file is nobody's business.
        if path and Path(file).is_file():
            response = send_from_directory(folder, path)
            response.headers["Cache-Control"] = _caching(path)
        elif PurePosixPath(path).suffix:
            abort(404)
        elif (folder / "index.html").is_file():
            response = send_from_directory(folder, "index.html")
            response.headers["Cache-Control"] = "no-cache"
        else:
            response = Response(_NOT_BUILT, 503, mimetype="text/html")
        response.headers["Content-Security-Policy"] = policy
        return response

    return blueprint


def _caching(path: str) -> str:
    # The build puts a hash of the content into the names below assets/.
    return "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
