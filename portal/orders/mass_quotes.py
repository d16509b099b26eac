"""Many quotes in one step: a market maker's whole set is replaced, or nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portal.core.clock import now_ms
from portal.core.errors import Conflict, PortalError, Unavailable, from_dict
from portal.orders.authority import SignedAuthority, drop_authority, keep_authority
from portal.orders.draft import Draft, Wanted, quote_part, read_draft
from portal.orders.frame import Frame
from portal.orders.links import offer_link
from portal.orders.person import check_person
from portal.orders.queries import load_frame
from portal.orders.service import OrderDesk, Placed, Via, by_key, ids_of, in_words, load_person
from portal.users.facts import facts_of


@dataclass(frozen=True)
class MassQuotes:
    """Where market makers replace their quotes."""

    desk: OrderDesk

    def replace(
        self,
        user_id: int,
        market: str,
        quote_set: str,
        quotes: Sequence[tuple[Wanted, SignedAuthority | None]],
        key: str,
        via: Via | None = None,
    ) -> list[Placed | PortalError]:
        """Replace all orders of a quote set in one step; an answer for each quote, in order.

        Raises for the first quote that can't be right, naming `quotes.<n>.<field>`; then
        nothing changed.
        """
        with self.desk.database.reader() as session:
            frame = load_frame(session, market)
            person = load_person(
                session, user_id, by_machine=via is not None, but_set=(market, quote_set)
            )
            enabled, count = self.desk.plugins.is_enabled, len(quotes)
            drafts, extras = [], []
            for place, (wanted, _) in enumerate(quotes):
                with _naming(place):
                    draft = read_draft(frame, wanted, now_ms())
                    check_person(person, enabled, draft, new_orders=count)
                    extras.append(self.desk.checked(session, user_id, frame, draft))
                    drafts.append(draft)
            facts = facts_of(session, user_id)
        signed = [authority for _, authority in quotes]
        parts, digests = self._parts(user_id, drafts, signed, key)
        command = {
            "kind": "mass_quote",
            "key": key,
            "owner": user_id,
            "market": market,
            "quote_set": quote_set,
            "facts": facts,
            "quotes": [{**part, **extra} for part, extra in zip(parts, extras, strict=True)],
            **by_key(via),
        }
        return self._quoted(user_id, frame, command, digests)

    def _parts(
        self,
        user_id: int,
        drafts: Sequence[Draft],
        signed: Sequence[SignedAuthority | None],
        key: str,
    ) -> tuple[list[dict[str, Any]], list[str | None]]:
        parts: list[dict[str, Any]] = []
        digests: list[str | None] = []
        try:
            for place, (draft, authority) in enumerate(zip(drafts, signed, strict=True)):
                with _naming(place):
                    digest = keep_authority(
                        self.desk.database, self.desk.settings, user_id, draft, authority, key
                    )
                    _refuse_twice(digest, digests)
                digests.append(digest)
                secret = offer_link(self.desk.sealer, f"{key}:{place}")
                link = secret if draft.wanted.private else None
                parts.append(quote_part(draft, link=link, authority=digest))
        except PortalError:
            self._drop(user_id, digests)
            raise
        return parts, digests

    def _quoted(
        self,
        user_id: int,
        frame: Frame,
        command: dict[str, Any],
        digests: Sequence[str | None],
    ) -> list[Placed | PortalError]:
        try:
            answer = self.desk.engine.submit(command)
        except Unavailable:
            raise
        except PortalError as refusal:
            self._drop(user_id, digests)
            raise in_words(refusal, frame) from refusal
        found: list[Placed | PortalError] = []
        for one, digest in zip(answer["quotes"], digests, strict=True):
            if "error" in one:
                drop_authority(self.desk.database, user_id, digest)
                found.append(in_words(from_dict(one["error"]), frame))
            else:
                found.append(Placed(int(one["order_id"]), ids_of(one["trades"])))
        return found

    def _drop(self, user_id: int, digests: Sequence[str | None]) -> None:
        for digest in digests:
            drop_authority(self.desk.database, user_id, digest)


def _refuse_twice(digest: str | None, digests: Sequence[str | None]) -> None:
    if digest is not None and digest in digests:
        raise Conflict(
            "Another quote has this signature.", field="authority", hint="Sign each of them."
        )


class _naming:  # noqa: N801 (reads as a statement)
    """Errors inside name the quote they are about."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PortalError) and error.field != "market":
            error.field = f"quotes.{self._place}.{error.field or 'quote'}"
