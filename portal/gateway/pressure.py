"""How many orders may be before the engine at once: in all, and of one key."""

from collections.abc import Callable

from portal.core.errors import TooManyRequests


class TooBusy(TooManyRequests):
    """No room for more just now; `retry_after` is seconds."""

    retry_after = 1


class Pressure:
    """Counts orders from the moment they are taken on until the engine's answer."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._of_one: dict[str, int] = {}
        self.in_flight = 0

    def take(self, key: str, count: int) -> Callable[[], None]:
        """Room for `count` orders of a key; call the result once when they are answered.

        Raises TooBusy when there is none.
        """
        mine = self._of_one.get(key, 0)
        if mine + count > self._most_of_one:
            raise TooBusy(
                f"This API key has {mine} orders before the engine; {self._most_of_one} may be.",
                hint="Wait for answers, or send again in a second under the same names.",
            )
        if self.in_flight + count > self._most:
            raise TooBusy(
                "The portal has as many orders before the engine as it takes.",
                hint="Send again in a second under the same names.",
            )
        self.in_flight += count
        self._of_one[key] = mine + count

        def give_back() -> None:
            self.in_flight -= count
            left = self._of_one[key] - count
            if left:
                self._of_one[key] = left
            else:
                del self._of_one[key]

        return give_back
