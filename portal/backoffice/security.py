"""Who is at the desk and what they may do: Flask-AppBuilder's security manager, narrowed.

Staff come in by one door (`door.StaffDoor`) and no other: no token log-in, no REST, no public
role, no group roles. What somebody may do is read once a request.
"""

from typing import Any

from flask import Flask, g
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_appbuilder.security.sqla.models import (
    Permission,
    PermissionView,
    ViewMenu,
    assoc_permissionview_role,
    assoc_user_role,
)
from flask_login import current_user
from sqlalchemy import select

from portal.backoffice.context import reader
from portal.backoffice.door import StaffDoor, session_is_good
from portal.users.models import User

Grants = frozenset[tuple[str, str]]


class StaffSecurityManager(SecurityManager):  # type: ignore[misc]
    """Only active staff with a live session exist for the back office."""

    user_model = User

    def create_jwt_manager(self, app: Flask) -> None:
        """No tokens: a password alone must never open the back office."""

    def register_views(self) -> None:
        """The door, and nothing of Flask-AppBuilder's user, role and security pages or APIs."""
        self.auth_view = StaffDoor()
        self.appbuilder.add_view_no_menu(self.auth_view)

    def load_user(self, pk: int) -> User | None:
        """The person of a session cookie: active staff whose session was not ended."""
        user = reader().get(User, int(pk))
        if user is None or user.kind != "staff" or not user.is_active:
            return None
        return user if session_is_good(user) else None

    def has_access(self, permission_name: str, view_name: str) -> bool:
        """Whether the person at the desk may; nobody else may anything."""
        return (permission_name, view_name) in self.granted()

    def granted(self) -> Grants:
        """All that the person at the desk may do, read once a request."""
        if not current_user.is_authenticated:
            return frozenset()
        if "bo_granted" not in g:
            g.bo_granted = _read_grants(int(current_user.id))
        granted: Grants = g.bo_granted
        return granted

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        """Nothing is public."""
        return False

    def get_user_menu_access(self, menu_names: Any = None) -> set[str]:
        """Menu entries that the person at the desk sees."""
        return {view for permission, view in self.granted() if permission == "menu_access"}


def _read_grants(user_id: int) -> Grants:
    pairs = (
        select(Permission.name, ViewMenu.name)
        .join(PermissionView, PermissionView.permission_id == Permission.id)
        .join(ViewMenu, PermissionView.view_menu_id == ViewMenu.id)
        .join(
            assoc_permissionview_role,
            assoc_permissionview_role.c.permission_view_id == PermissionView.id,
        )
        .join(assoc_user_role, assoc_user_role.c.role_id == assoc_permissionview_role.c.role_id)
        .where(assoc_user_role.c.user_id == user_id)
    )
    return frozenset((row[0], row[1]) for row in reader().execute(pairs))
