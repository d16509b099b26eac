"""Who listens to what, and what each of them still has to be sent.

A slow client never makes the server's memory grow: for each topic only the newest is kept.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]
MAX_TOPICS = 50


class Subscriber:
    """One connection: its topics and the newest unsent message of each."""

    def __init__(self) -> None:
        self.user_id: int | None = None
        self.token = ""
        self.topics: dict[str, int] = {}
        self._pending: dict[tuple[str, ...], Message] = {}
        self._ready = asyncio.Event()

    def offer(self, key: tuple[str, ...], message: Message) -> None:
        """Queue a message; an unsent older one of the same key is dropped."""
        self._pending[key] = message
        self._ready.set()

    def log_out(self) -> None:
        """Nothing of a person's own goes to this connection any more."""
        self.user_id, self.token = None, ""
        self.topics.pop("me", None)

    async def next(self) -> Message:
        """The oldest waiting message; waits for one."""
        while not self._pending:
            self._ready.clear()
            await self._ready.wait()
        key = next(iter(self._pending))
        return self._pending.pop(key)


class Hub:
    """All subscribers of this process."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()

    def add(self, subscriber: Subscriber) -> None:
        """A client has connected."""
        self._subscribers.add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """A client is gone."""
        self._subscribers.discard(subscriber)

    def logged_in(self) -> list[Subscriber]:
        """Subscribers with a session."""
        return [subscriber for subscriber in self._subscribers if subscriber.user_id is not None]

    def markets(self) -> set[str]:
        """Markets whose book somebody watches."""
        topics = {topic for subscriber in self._subscribers for topic in subscriber.topics}
        return {topic.removeprefix("book:") for topic in topics if topic.startswith("book:")}

    def send_book(self, market: str, book: Message) -> None:
        """A new snapshot for everybody who watches this market."""
        topic = f"book:{market}"
        for subscriber in self._subscribers:
            if topic in subscriber.topics:
                offer_book(subscriber, topic, book)

    def send_changes(self, people: Iterable[tuple[int, str, int]]) -> None:
        """Tell people which trade, order or balance of theirs changed."""
        by_user: dict[int, list[tuple[str, int]]] = {}
        for user_id, what, id_ in people:
            by_user.setdefault(user_id, []).append((what, id_))
        for subscriber in self._subscribers:
            if "me" in subscriber.topics and subscriber.user_id in by_user:
                for what, id_ in by_user[subscriber.user_id]:
                    subscriber.offer(("me", what, str(id_)), changed(what, id_))

    def send_anything(self) -> None:
        """Tell everybody that anything of theirs may have changed."""
        for subscriber in self._subscribers:
            if "me" in subscriber.topics:
                subscriber.offer(("me", "all"), changed("all", None))


def changed(what: str, id_: int | None) -> Message:
    """The message that something of the reader's changed."""
    return {"topic": "me", "type": "changed", "what": what, "id": id_}


def offer_book(subscriber: Subscriber, topic: str, book: Message) -> None:
    """Queue a snapshot with its place in this subscriber's sequence."""
    previous, subscriber.topics[topic] = subscriber.topics[topic], book["seq"]
    message = {"topic": topic, "type": "snapshot", "seq": book["seq"], "data": book}
    if previous:
        message["prevSeq"] = previous
    subscriber.offer((topic,), message)
