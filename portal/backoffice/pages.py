"""The kinds of page that views are: a list with its records, or a page of its own; both with acts.

Nothing here writes: generic add, edit, delete and bulk actions of Flask-AppBuilder are not even
routed. What changes something is an `Act`, sent as a form with its CSRF token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

from flask import abort, flash, redirect, request, url_for
from flask_appbuilder import BaseView, ModelView
from flask_appbuilder import expose as fab_expose
from flask_appbuilder.models.filters import BaseFilter
from flask_login import current_user
from sqlalchemy import BigInteger, ColumnElement, Integer, or_
from werkzeug.wrappers import Response

from portal.backoffice import lookups
from portal.backoffice.acts import Act, Attempt, Form, read_values, sent_values
from portal.backoffice.context import reader
from portal.backoffice.panels import Column, Panel, Shown
from portal.backoffice.roles import PAGES
from portal.core.errors import InvalidInput, PortalError

PAGE_SIZE = 50
GENERIC_WRITES = frozenset({"add", "edit", "delete", "download", "action", "action_post"})
Answer = str | Response | tuple[str, int]
Handler = TypeVar("Handler", bound=Callable[..., Any])


def route(url: str, *methods: str) -> Callable[[Handler], Handler]:
    """A route that needs the permission named after the method (GET unless told)."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def guarded(view: "Acting", *values: Any, **named: Any) -> Any:
            refusal = view.refusal(f"can_{handler.__name__}")
            return handler(view, *values, **named) if refusal is None else refusal

        guarded._permission_name = handler.__name__  # type: ignore[attr-defined]
        return cast(Handler, fab_expose(url, methods=methods or ("GET",))(guarded))

    return wrap


def open_route(url: str, *methods: str) -> Callable[[Handler], Handler]:
    """A route that checks permissions itself, or is for everybody."""
    return cast(Callable[[Handler], Handler], fab_expose(url, methods=methods or ("GET",)))


class Where(BaseFilter):  # type: ignore[misc]
    """Any SQL condition as a Flask-AppBuilder filter."""

    name = "where"

    def apply(self, query: Any, value: ColumnElement[bool]) -> Any:
        """Add the condition."""
        return query.filter(value)


@dataclass(frozen=True)
class Tab:
    """A ready-made filter over a list. The first one is what people see first."""

    key: str
    label: str
    where: Callable[[], ColumnElement[bool]] | None = None


class Acting(BaseView):  # type: ignore[misc]
    """A page with acts. `acts` are those on a record or on the page itself."""

    acts: ClassVar[Sequence[Act]] = ()
    page_title: ClassVar[str] = ""
    intro: ClassVar[str] = ""

    @property
    def category_label(self) -> str:
        """The part of the navigation that this page is in."""
        return next((p.category for p in PAGES if p.view == type(self).__name__), "")

    def render(self, template: str, **values: Any) -> str:
        """A page, with what Flask-AppBuilder's templates need."""
        return str(self.render_template(template, **values))

    def refusal(self, permission: str) -> Response | None:
        """None when the person at the desk has this permission; strangers go to the door."""
        if not current_user.is_authenticated:
            return redirect(url_for("StaffDoor.login", next=request.full_path.rstrip("?")))
        if not self.appbuilder.sm.has_access(permission, self.class_permission_name):
            abort(403)
        return None

    def may(self, act: Act) -> bool:
        """Whether the person at the desk may do this."""
        return bool(self.appbuilder.sm.has_access(act.permission, self.class_permission_name))

    def forms(
        self, acts: Sequence[Act], record: Any, address: Callable[[Act], str], attempt: Any = None
    ) -> list[Form]:
        """The forms of the acts that are allowed to this person in this state."""
        made = []
        for act in acts:
            if not self.may(act) or not act.offered(record):
                continue
            failed = attempt if attempt and attempt.act == act.name else None
            made.append(
                Form(
                    act,
                    address(act),
                    act.fields_for(record),
                    failed.values if failed else {},
                    failed.error if failed else None,
                )
            )
        return made

    def perform(self, name: str, acts: Sequence[Act], record: Any) -> Attempt | None:
        """Run the act that was sent. None when it was done, else why it was not."""
        act = next((act for act in acts if act.name == name), None)
        if act is None:
            abort(404)
        if not self.may(act):
            abort(403)
        fields = act.fields_for(record)
        try:
            flash(act.run(self, record, read_values(fields)), "done")
        except PortalError as error:
            return Attempt(act.name, sent_values(fields), error)
        return None

    def refused(self, attempt: Attempt) -> None:
        """Tell at the top of the page that the act was refused."""
        hint = f" {attempt.error.hint}" if attempt.error.hint else ""
        flash(f"{attempt.error.message}{hint} Nothing was changed.", "harm")


class RecordView(Acting, ModelView):  # type: ignore[misc]
    """A list of records and a page for each.

    `desk_acts` stand above the list (making something new, importing); `acts` on a record.
    `own_permissions` are those of routes that a view adds.
    """

    list_columns: list[str]
    exclude_route_methods: frozenset[str]
    columns: ClassVar[Sequence[Column]] = ()
    tabs: ClassVar[Sequence[Tab]] = ()
    search_in: ClassVar[Sequence[str]] = ()
    search_hint: ClassVar[str] = "Search"
    newest_first: ClassVar[str] = ""
    desk_acts: ClassVar[Sequence[Act]] = ()
    own_permissions: ClassVar[Sequence[str]] = ()
    empty_title: ClassVar[str] = "Nothing yet"
    empty_text: ClassVar[str] = ""

    def __init__(self) -> None:
        model = self.datamodel.obj
        self.list_columns = [model.__mapper__.primary_key[0].key]
        self.search_columns = list(self.list_columns)
        self.add_columns = self.edit_columns = self.show_columns = self.list_columns
        named = [act.permission for act in (*self.acts, *self.desk_acts)]
        self.base_permissions = ["can_list", "can_show", *named, *self.own_permissions]
        unused = () if self.desk_acts else ("desk_act",)
        self.exclude_route_methods = GENERIC_WRITES.union(unused)
        super().__init__()

    # What a view says about itself

    def search(self, text: str) -> ColumnElement[bool]:
        """The condition for what was typed into the search box."""
        model = self.datamodel.obj
        columns = [getattr(model, name) for name in self.search_in]
        tests = [column.ilike(f"%{_literal(text)}%", escape="\\") for column in columns]
        pk = model.__mapper__.primary_key[0]
        number = whole_key(pk, text.lstrip("#"))
        if number is not None:
            tests.append(pk == number)
        return or_(False, *tests)

    def key(self, record: Any) -> str:
        """The record's key as it stands in addresses."""
        return str(getattr(record, self.datamodel.obj.__mapper__.primary_key[0].key))

    def find(self, pk: str) -> Any:
        """The record of this key, or None."""
        column = self.datamodel.obj.__mapper__.primary_key[0]
        key = whole_key(column, pk) if isinstance(column.type, Integer) else pk
        return None if key is None else reader().get(self.datamodel.obj, key)

    def title_of(self, record: Any) -> Shown:
        """The heading of a record's page."""
        return f"{self.page_title} #{self.key(record)}"

    def status_of(self, record: Any) -> Shown:
        """What stands beside the heading: the record's state."""
        return ""

    def panels(self, record: Any) -> Sequence[Panel]:
        """What the record's page shows."""
        return ()

    def overview(self) -> Sequence[Panel]:
        """What stands above the list."""
        return ()

    # The pages

    @route("/")
    def list(self) -> Answer:
        """The list: tab, search, order and page from the address."""
        return self._list_page()

    def _list_page(self, attempt: Attempt | None = None, status: int = 200) -> Answer:
        tab = self._tab()
        filters = self.datamodel.get_filters()
        if tab and tab.where:
            filters.add_filter(self.list_columns[0], Where, tab.where())
        typed = request.args.get("q", "").strip()[:100]
        if typed:
            filters.add_filter(self.list_columns[0], Where, self.search(typed))
        number = max(1, min(request.args.get("page", 1, type=int), 100_000))
        order, direction = self._order()
        count, rows = self.datamodel.query(filters, order, direction, number - 1, PAGE_SIZE)
        self._load_names(rows)
        page = self.render(
            "backoffice/list.html",
            view=self,
            rows=rows,
            count=count,
            page=number,
            pages=max(1, -(-count // PAGE_SIZE)),
            tab=tab,
            typed=typed,
            order=(order, direction),
            forms=self.forms(self.desk_acts, None, self._desk_address, attempt),
        )
        return page if status == 200 else (page, status)

    def _tab(self) -> Tab | None:
        wanted = request.args.get("tab")
        chosen = next((tab for tab in self.tabs if tab.key == wanted), None)
        return chosen or (self.tabs[0] if self.tabs else None)

    def _order(self) -> tuple[str, str]:
        wanted = request.args.get("sort", "")
        name = wanted.lstrip("-")
        if name in {column.sort for column in self.columns if column.sort}:
            return name, "desc" if wanted.startswith("-") else "asc"
        if self.newest_first:
            return self.newest_first, "desc"
        return self.list_columns[0], "desc"

    def _load_names(self, rows: Sequence[Any]) -> None:
        named = [column.people for column in self.columns if column.people]
        lookups.load_people(one for people in named for row in rows for one in people(row))

    @route("/<pk>")
    def show(self, pk: str) -> Answer:
        """The page of one record."""
        return self._show_page(self._found(pk))

    def _found(self, pk: str) -> Any:
        record = self.find(pk)
        if record is None:
            abort(404)
        return record

    def _show_page(self, record: Any, attempt: Attempt | None = None) -> Answer:
        page = self.render(
            "backoffice/show.html",
            view=self,
            record=record,
            title=self.title_of(record),
            status=self.status_of(record),
            panels=self.panels(record),
            forms=self.forms(self.acts, record, lambda act: self._address(act, record), attempt),
        )
        return (page, attempt.error.status) if attempt else page

    def address(self, **changed: Any) -> str:
        """The address of this list with some of its arguments changed; None removes one."""
        kept = {name: request.args[name] for name in ("tab", "q", "sort") if name in request.args}
        arguments = {name: value for name, value in (kept | changed).items() if value is not None}
        return url_for(f"{self.endpoint}.list", **arguments)

    def address_of_list(self) -> str:
        """The address of the whole list."""
        return url_for(f"{self.endpoint}.list")

    def record_url(self, record: Any) -> str:
        """The address of a record's page."""
        return url_for(f"{self.endpoint}.show", pk=self.key(record))

    def _address(self, act: Act, record: Any) -> str:
        return url_for(f"{self.endpoint}.act", pk=self.key(record), name=act.name)

    def _desk_address(self, act: Act) -> str:
        return url_for(f"{self.endpoint}.desk_act", name=act.name)

    @open_route("/<pk>/act/<name>", "POST")
    def act(self, pk: str, name: str) -> Answer:
        """Do something to one record."""
        if refusal := self.refusal("can_show"):
            return refusal
        record = self._found(pk)
        attempt = self.perform(name, self.acts, record)
        if attempt is None:
            return redirect(url_for(f"{self.endpoint}.show", pk=pk))
        self.refused(attempt)
        reader().expire_all()
        return self._show_page(self._found(pk), attempt)

    @open_route("/act/<name>", "POST")
    def desk_act(self, name: str) -> Answer:
        """Do something that concerns no record yet."""
        if refusal := self.refusal("can_list"):
            return refusal
        attempt = self.perform(name, self.desk_acts, None)
        if attempt is None:
            return redirect(url_for(f"{self.endpoint}.list"))
        self.refused(attempt)
        return self._list_page(attempt, attempt.error.status)


class DeskPage(Acting):
    """A page that is not about rows of one table. Give it an `index` with `@route("/")`."""

    default_view: ClassVar[str] = "index"

    def __init__(self) -> None:
        self.base_permissions = ["can_index", *(act.permission for act in self.acts)]
        super().__init__()

    def panels(self, record: Any) -> Sequence[Panel]:
        """What the page shows."""
        return ()


def whole_key(column: Any, text: str) -> int | None:
    """The number in a text, if it is one and fits this column of numbers."""
    if not isinstance(column.type, Integer) or not text.isascii() or not text.isdigit():
        return None
    bits = 63 if isinstance(column.type, BigInteger) else 31
    return int(text) if len(text) < 20 and int(text) < 2**bits else None


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def whole_number(text: str, field: str, *, least: int, most: int) -> int:
    """A whole number within bounds from a form. Raises InvalidInput naming the field."""
    if text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most:
        return int(text)
    raise InvalidInput(
        f"{field.replace('_', ' ')} must be a whole number from {least} to {most}.",
        field=field,
        value=text,
    )
