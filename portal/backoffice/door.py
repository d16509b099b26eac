"""The staff door: e-mail, password and a one-time code in one form, all or nothing.

The Flask session holds only a random token; the session itself is a row that can be ended.
"""

from urllib.parse import urlsplit

from flask import Response, current_app, make_response, redirect, request, session, url_for
from flask_appbuilder.security.views import AuthView
from flask_login import current_user, login_user, logout_user

from portal.api.limits import count_request
from portal.backoffice.context import reader, services
from portal.backoffice.pages import Answer, open_route
from portal.backoffice.places import PREFIX
from portal.core.errors import PortalError
from portal.users.login import DEVICE_COOKIE, DEVICE_SECONDS, device_mark, log_in
from portal.users.models import User
from portal.users.sessions import close_session, find_session, open_session

_TOKEN = "staff_session"  # noqa: S105 (a name, not a value)


def session_is_good(user: User) -> bool:
    """Whether this browser's session is live and this person's."""
    found = find_session(reader(), session.get(_TOKEN, ""), kind="staff")
    return found is not None and found[1].id == user.id


class StaffDoor(AuthView):  # type: ignore[misc]
    """Log-in and log-out of staff."""

    route_base = ""

    @open_route("/login", "GET", "POST")
    def login(self) -> Answer:
        """Show the form; on POST check all three at once."""
        if current_user.is_authenticated:
            return redirect(_next_page())
        if request.method == "GET":
            return self._form()
        try:
            count_request(strict=True)
            return _enter()
        except PortalError as error:
            return self._form(error)

    @open_route("/logout", "POST")
    def logout(self) -> Answer:
        """End the session, here and in the database."""
        with services().database.transaction() as writing:
            close_session(writing, session.get(_TOKEN, ""))
        logout_user()
        session.clear()
        return redirect(url_for("StaffDoor.login"))

    def _form(self, error: PortalError | None = None) -> Response:
        page = self.render_template(
            "backoffice/login.html",
            problem=error and error.message,
            email=request.form.get("email", "")[:200],
            next=request.values.get("next", ""),
            demo=services().settings.is_demo,
        )
        response = make_response(page, error.status if error else 200)
        response.headers["Cache-Control"] = "no-store"
        return response


def _enter() -> Answer:
    desk = services()
    user = log_in(
        desk.database,
        desk.sealer,
        request.form.get("email", "")[:200],
        request.form.get("password", "")[:200],
        request.form.get("code", "").replace(" ", "")[:16],
        kind="staff",
        device=request.cookies.get(DEVICE_COOKIE, ""),
    )
    session.clear()
    with desk.database.transaction() as writing:
        opened = open_session(
            writing,
            user,
            hours=desk.settings.session_hours,
            address=request.remote_addr or "",
            agent=request.user_agent.string,
        )
    session.permanent = True
    session[_TOKEN] = opened.token
    login_user(user)
    answer = redirect(_next_page())
    answer.set_cookie(
        DEVICE_COOKIE,
        device_mark(desk.sealer, user.email),
        max_age=DEVICE_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        path=url_for("StaffDoor.login"),
    )
    return answer


def _next_page() -> str:
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted)
    own_host = parts.netloc in ("", request.host)
    if own_host and parts.path.startswith(PREFIX + "/") and "\\" not in wanted:
        return parts.path + (f"?{parts.query}" if parts.query else "")
    return url_for("HomeView.index")
