"""Writes the table of `roles` into Flask-AppBuilder's tables. `portal db upgrade` runs it."""

from typing import TypeVar

from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, ViewMenu
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.backoffice.roles import ROLES, Grant, all_grants, grants_of
from portal.core.db import Database
from portal.core.settings import Settings


def sync_permissions(database: Database) -> None:
    """Make roles and grants in the database say exactly what `roles` says; safe to repeat.

    Grants of the portal's own roles that the table no longer has are taken away. Roles that an
    operator made are left alone.
    """
    with database.transaction() as session:
        pairs = _pairs(session)
        roles = {role.name: role for role in session.scalars(select(Role))}
        for name in ROLES:
            role = roles.get(name) or _added(session, Role(name=name))
            role.permissions = [pairs[grant] for grant in sorted(grants_of(name))]


def sync(settings: Settings) -> None:
    """The same for the database of these settings: what the command line calls."""
    database = Database(settings.required_database_url)
    try:
        sync_permissions(database)
    finally:
        database.dispose()


def _pairs(session: Session) -> dict[Grant, PermissionView]:
    wanted = all_grants()
    permissions = {row.name: row for row in session.scalars(select(Permission))}
    views = {row.name: row for row in session.scalars(select(ViewMenu))}
    for permission, view in sorted(wanted):
        if permission not in permissions:
            permissions[permission] = _added(session, Permission(name=permission))
        if view not in views:
            views[view] = _added(session, ViewMenu(name=view))
    session.flush()
    names = {row.id: row.name for row in permissions.values()}
    view_names = {row.id: row.name for row in views.values()}
    pairs = {
        (names[row.permission_id], view_names[row.view_menu_id]): row
        for row in session.scalars(select(PermissionView))
        if row.permission_id in names and row.view_menu_id in view_names
    }
    for permission, view in sorted(wanted - pairs.keys()):
        pairs[permission, view] = _added(
            session,
            PermissionView(permission_id=permissions[permission].id, view_menu_id=views[view].id),
        )
    session.flush()
    return pairs


Row = TypeVar("Row")


def _added(session: Session, row: Row) -> Row:
    session.add(row)
    return row
