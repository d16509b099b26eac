"""How many requests a minute a person or an address may make."""

from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address
from typing import cast

from flask import Flask, current_app, g, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from portal.core.errors import TooManyRequests
from portal.core.settings import Settings

_EXTENSION = "otc_portal_limits"


@dataclass(frozen=True)
class _Limits:
    limiter: FixedWindowRateLimiter
    per_minute: int
    doors_per_minute: int


class RateExceeded(TooManyRequests):
    """More requests than allowed; `retry_after` is seconds."""

    def __init__(self, item: RateLimitItem) -> None:
        super().__init__(
            f"No more than {item.amount} requests a minute.", hint="Try again in a minute."
        )
        self.retry_after = item.get_expiry()


def install_limits(app: Flask, settings: Settings) -> None:
    """Give the app its counters, in memory or in the store that the settings name.

    The API and the back office each ask for them; they share one set.
    """
    if _EXTENSION not in app.extensions:
        storage = storage_from_string(settings.ratelimit_storage_uri)
        app.extensions[_EXTENSION] = _Limits(
            FixedWindowRateLimiter(storage),
            settings.rate_limit_per_minute,
            settings.rate_limit_auth_per_minute,
        )


def count_request(*, strict: bool) -> None:
    """Count this request against its caller. Raises RateExceeded.

    `strict` is for log-in and sign-up: counted by address, with the small limit.
    """
    limits = cast(_Limits, current_app.extensions[_EXTENSION])
    who = _network(request.remote_addr or "unknown")
    if strict:
        _hit(limits, limits.doors_per_minute, "auth", who)
        return
    if g.get("caller") is not None:
        who = f"user:{g.caller.id}"
    _hit(limits, limits.per_minute, "api", who)


def _hit(limits: _Limits, amount: int, scope: str, who: str) -> None:
    item = RateLimitItemPerMinute(amount)
    if not limits.limiter.hit(item, scope, who):
        raise RateExceeded(item)


def _network(address: str) -> str:
    """Who is counted: an IPv4 address, or a whole IPv6 /64, which is what one customer gets."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found), 64), strict=False))
