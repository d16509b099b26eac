"""KYC tiers: set by staff, with a reason, never by oneself."""

from portal.audit.service import record
from portal.core.db import Database
from portal.core.errors import Forbidden, InvalidInput, NotFound
from portal.users.models import KycDecision, User

TIERS = {
    0: "not checked",
    1: "identity checked",
    2: "address checked",
    3: "source of funds checked",
}


def set_kyc_tier(database: Database, actor: int, user_id: int, tier: int, reason: str) -> None:
    """Staff member `actor` puts a trader into a tier.

    Raises Forbidden for oneself or by somebody who is no staff, InvalidInput, NotFound.
    """
    if tier not in TIERS:
        raise InvalidInput(
            "There is no such tier.", field="tier", value=tier, hint=f"Tiers are {list(TIERS)}."
        )
    if not reason.strip():
        raise InvalidInput("Say why, for the record.", field="reason")
    with database.transaction() as session:
        staff, user = session.get(User, actor), session.get(User, user_id)
        if user is None or user.kind != "trader":
            raise NotFound("There is no such trader.", field="user_id", value=user_id)
        if staff is None or staff.kind != "staff" or actor == user_id:
            raise Forbidden("Only staff set the tier, and never their own.")
        before, user.kyc_tier = user.kyc_tier, tier
        session.add(
            KycDecision(user_id=user_id, tier=tier, reason=reason.strip(), decided_by=actor)
        )
        change = {"from": before, "to": tier, "reason": reason.strip()}
        record(session, f"user:{actor}", "kyc.tier_set", f"user:{user_id}", change)
