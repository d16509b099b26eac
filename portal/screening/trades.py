"""What screening says of a trade: a hit waits for an officer, never silence."""

from sqlalchemy.orm import Session

from portal.plugin_api import Decision, TradeFacts
from portal.screening.service import Screener
from portal.users.models import User

ALIKE = 88
_screener = Screener()


def screen_trade(
    session: Session, facts: TradeFacts, threshold: int, screener: Screener = _screener
) -> Decision:
    """Both people's legal names and every wallet address of theirs that is known.

    The reason names list and number only: the officer looks the rest up.
    """
    addresses = {facts.wallet.address} if facts.wallet else set()
    for side, party in (("buyer", facts.buyer), ("seller", facts.seller)):
        user = session.get_one(User, party.user_id)
        if hits := screener.names(session, user.legal_name, threshold):
            best = hits[0]
            return Decision.hold(
                f"The {side}'s name is like one on a sanctions list "
                f"({best.list_name} {best.uid}, {best.score} of 100)."
            )
        addresses |= {one for one in (user.wallet_address, user.vault_address) if one}
    for address in sorted(addresses):
        if listed := screener.address(session, address):
            return Decision.hold(f"A wallet address is on a sanctions list ({' '.join(listed)}).")
    return Decision.allow()
