"""How many requests a minute a person or an address may make."""

from typing import cast

from flask import Flask, current_app, g, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from portal.api.context import services
from portal.core.errors import TooManyRequests
from portal.core.settings import Settings

_EXTENSION = "otc_portal_limits"


class RateExceeded(TooManyRequests):
    """More requests than allowed; `retry_after` is seconds."""

    def __init__(self, item: RateLimitItem) -> None:
        super().__init__(
            f"No more than {item.amount} requests a minute.", hint="Try again in a minute."
        )
        self.retry_after = item.get_expiry()


def install_limits(app: Flask, settings: Settings) -> None:
    """Give the app its counters, in memory or in the store that the settings name."""
    storage = storage_from_string(settings.ratelimit_storage_uri)
    app.extensions[_EXTENSION] = FixedWindowRateLimiter(storage)


def count_request(*, strict: bool) -> None:
    """Count this request against its caller. Raises RateExceeded.

    `strict` is for log-in and sign-up: counted by address, with the small limit.
    """
    settings = services().settings
    who = request.remote_addr or "unknown"
    if strict:
        _hit(settings.rate_limit_auth_per_minute, "auth", who)
        return
    if g.get("caller") is not None:
        who = f"user:{g.caller.id}"
    _hit(settings.rate_limit_per_minute, "api", who)


def _hit(amount: int, scope: str, who: str) -> None:
    limiter = cast(FixedWindowRateLimiter, current_app.extensions[_EXTENSION])
    item = RateLimitItemPerMinute(amount)
    if not limiter.hit(item, scope, who):
        raise RateExceeded(item)
