"""Time-based one-time codes (RFC 6238: SHA-1, 30 seconds, 6 digits), each good for one use."""

import pyotp
from pyotp.utils import strings_equal
from sqlalchemy import update
from sqlalchemy.orm import Session

from portal.core.clock import Clock, now_ms
from portal.core.sealed import Sealer
from portal.users.models import User

STEP_SECONDS = 30
_DRIFT_STEPS = 1  # RFC 6238 section 5.2: one step of clock drift and network delay.


def new_secret() -> str:
    """A random secret of 160 bits in base 32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, email: str, issuer: str) -> str:
    """The otpauth:// address that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def matching_step(secret: str, code: str, at_ms: int) -> int | None:
    """The time step for which `code` is right at `at_ms`, or None."""
    generator = pyotp.TOTP(secret)
    now_step = at_ms // 1000 // STEP_SECONDS
    for step in range(now_step - _DRIFT_STEPS, now_step + _DRIFT_STEPS + 1):
        if step >= 0 and strings_equal(generator.generate_otp(step), code):
            return step
    return None


def seal_secret(sealer: Sealer, user_id: int, secret: str) -> str:
    """The secret as column `totp_sealed` holds it."""
    return sealer.seal(secret, _context(user_id))


def spend_code(
    session: Session, sealer: Sealer, user: User, code: str, clock: Clock = now_ms
) -> bool:
    """Accept `code` once: True if it is right and no code of its step was accepted before.

    The step is compared and swapped in the database, so of two simultaneous uses one wins.
    """
    if not user.totp_sealed:
        return False
    step = matching_step(sealer.unseal(user.totp_sealed, _context(user.id)), code, clock())
    if step is None:
        return False
    return step_is_new(session, user.id, step)


def step_is_new(session: Session, user_id: int, step: int) -> bool:
    """Advance the person's last accepted step to `step`; False if it was already there."""
    advanced = session.execute(
        update(User)
        .where(User.id == user_id, User.totp_last_step < step)
        .values(totp_last_step=step)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    return advanced.first() is not None


def _context(user_id: int) -> str:
    return f"ab_user|totp_sealed|{user_id}"
