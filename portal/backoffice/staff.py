"""Staff: who works at the desk and in which roles. Only an admin changes it, never for oneself."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.audit.views import timeline_of
from portal.backoffice import cells
from portal.backoffice.acts import Act, Field, Values, reason_field
from portal.backoffice.context import services, staff
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Panel, Shown
from portal.backoffice.roles import ADMIN, STAFF_ROLES
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, NotFound
from portal.users.models import User, UserSession


def set_roles(database: Database, actor: int, user_id: int, roles: Sequence[str], why: str) -> None:
    """Give a staff member exactly these roles; their sessions end.

    Raises Forbidden for oneself, NotFound, Conflict when nobody would be left as admin.
    """
    with database.transaction() as session:
        user = _colleague(session, actor, user_id)
        before = sorted(role.name for role in user.roles)
        wanted = session.scalars(select(Role).where(Role.name.in_(set(roles) & set(STAFF_ROLES))))
        user.roles = list(wanted)
        session.flush()
        _keep_an_admin(session)
        _end_sessions(session, user_id)
        change = {"before": before, "after": sorted(set(roles)), "reason": why}
        record(session, f"user:{actor}", "staff.roles_set", f"user:{user_id}", change)


def set_active(database: Database, actor: int, user_id: int, active: bool, why: str) -> None:
    """Switch a staff account on or off; their sessions end. Raises as `set_roles`."""
    with database.transaction() as session:
        user = _colleague(session, actor, user_id)
        user.active = active
        session.flush()
        _keep_an_admin(session)
        _end_sessions(session, user_id)
        kind = "staff.switched_on" if active else "staff.switched_off"
        record(session, f"user:{actor}", kind, f"user:{user_id}", {"reason": why})


def _colleague(session: Session, actor: int, user_id: int) -> User:
    if actor == user_id:
        raise Forbidden("Nobody changes their own account.", hint="Ask another admin.")
    user = session.get(User, user_id, with_for_update=True)
    if user is None or user.kind != "staff":
        raise NotFound("There is no such staff member.", field="user_id", value=user_id)
    return user


def _keep_an_admin(session: Session) -> None:
    admins = select(User.id).where(
        User.kind == "staff", User.active.is_(True), User.roles.any(Role.name == ADMIN)
    )
    if session.scalars(admins.limit(1)).first() is None:
        raise Conflict("Nobody would be left as admin.", hint="Make somebody else admin first.")


def _end_sessions(session: Session, user_id: int) -> None:
    live = (UserSession.user_id == user_id) & UserSession.revoked_at.is_(None)
    session.execute(update(UserSession).where(live).values(revoked_at=utc_now()))


def _set_roles(view: Any, user: User, values: Values) -> str:
    set_roles(services().database, staff().id, user.id, values["roles"], values["reason"])
    return f"{user.legal_name} is {', '.join(values['roles']) or 'without any role'} now."


def _switch(active: bool) -> Any:
    def run(view: Any, user: User, values: Values) -> str:
        set_active(services().database, staff().id, user.id, active, values["reason"])
        return (
            f"{user.legal_name} {'may log in again' if active else 'is logged out and kept out'}."
        )

    return run


def _role_fields(user: User) -> list[Field]:
    held = [role.name for role in user.roles]
    options = [(name, name) for name in STAFF_ROLES]
    return [Field("roles", "Roles", kind="many", options=options, value=held), reason_field()]


class StaffView(RecordView):
    """Accounts that come in by the staff door."""

    datamodel = SQLAInterface(User)
    route_base = "/staff"
    page_title = "Staff"
    intro = (
        "Accounts that come in by the staff door. What each role may do is in docs/backoffice.md."
    )
    search_in = ("email", "first_name", "last_name")
    search_hint = "Name or e-mail"
    newest_first = "id"
    empty_title = "Nobody"
    empty_text = "No account of this kind."
    tabs = (
        Tab("active", "Active", lambda: _staff() & User.active.is_(True)),
        Tab("all", "All staff", lambda: _staff()),
    )
    columns = (
        Column("Name", lambda user: cells.text(user.legal_name), sort="last_name"),
        Column("E-mail", lambda user: cells.text(user.email), sort="email"),
        Column("Roles", lambda user: roles_of(user)),
        Column("Status", lambda user: active(user), sort="active"),
        Column("Last log-in", lambda user: cells.when(user.last_login), sort="last_login"),
    )
    acts = (
        Act(
            "set_roles",
            "Change roles",
            _set_roles,
            fields=_role_fields,
            consequence="They are logged out and come back with the new roles.",
            offered=lambda user: user.id != staff().id,
        ),
        Act(
            "switch_off",
            "Switch this account off",
            _switch(False),
            fields=(reason_field(),),
            consequence="They are logged out at once and can't come back in.",
            harmful=True,
            offered=lambda user: user.active and user.id != staff().id,
        ),
        Act(
            "switch_on",
            "Switch this account on",
            _switch(True),
            fields=(reason_field(),),
            offered=lambda user: not user.active,
        ),
    )

    def find(self, pk: str) -> Any:
        """A staff member; traders are on their own page."""
        user = super().find(pk)
        return user if user is not None and user.kind == "staff" else None

    def title_of(self, record: Any) -> Shown:
        """The name."""
        return str(record.legal_name or record.email)

    def status_of(self, record: Any) -> Shown:
        """Active or switched off."""
        return active(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Who they are, and what was decided about them."""
        facts = Facts(
            "Account",
            (
                ("E-mail", cells.text(record.email)),
                ("Roles", roles_of(record)),
                ("Last log-in", cells.when(record.last_login)),
                ("Since", cells.when(record.created_on)),
            ),
        )
        return (facts, timeline_of("What happened", f"user:{record.id}"))


def _staff() -> ColumnElement[bool]:
    return User.kind == "staff"


def roles_of(user: User) -> Shown:
    """The roles by name."""
    return ", ".join(sorted(role.name for role in user.roles)) or cells.text("none")


def active(user: User) -> Shown:
    """Active or switched off."""
    if user.active:
        return cells.state("active", tone="done")
    return cells.state("switched off", tone="harm")
