"""Which trade a bank-statement line pays, and whether it proves the payment. Pure.

The order of looking: a structured reference, a reference in the free text, then the exact amount
from the buyer's own account within the payment window; whatever is left, a person looks at.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from portal.core.money import Money
from portal.plugin_api import NameMatch, Outcome, StatementLine

MatchedBy = Literal["reference", "text", "amount", "staff"]
LineState = Literal["ignored", "verifying", "manual"]

# A transfer ordered on the last day of the window may be booked after a long weekend.
BOOKING_SLACK = timedelta(days=4)

WAITING = frozenset({"escrow_locked", "awaiting_payment", "paid"})


@dataclass(frozen=True)
class Expected:
    """A payment that a trade waits for (or waited for; `state` says)."""

    trade_id: int
    state: str
    amount: Money
    payee_account: str
    payer_account: str
    payer_name: str
    opened: date
    closes: date


@dataclass(frozen=True)
class Found:
    """The trade that a line belongs to; without one, `reason` says why."""

    expected: Expected | None = None
    by: MatchedBy | None = None
    reason: str = ""


@dataclass(frozen=True)
class Judgement:
    """What a line is worth; `reason` is for the back office, free of personal data."""

    state: LineState
    reason: str | None = None
    name_match: NameMatch | None = None


def find(
    line: StatementLine,
    *,
    structured: Sequence[int],
    in_text: Sequence[int],
    by_reference: Callable[[int], Expected | None],
    by_amount: Callable[[], Iterable[Expected]],
) -> Found:
    """The trade of a line.

    `structured` and `in_text` are the trade ids that its references name. A line that names a
    trade is never given to another one because the amount happens to fit.
    """
    ways: tuple[tuple[MatchedBy, Sequence[int]], ...] = (
        ("reference", structured),
        ("text", in_text),
    )
    for way, named in ways:
        trades = list(dict.fromkeys(named))
        if len(trades) > 1:
            return Found(reason=f"It names several trades: {', '.join(map(str, trades))}.")
        if trades:
            expected = by_reference(trades[0])
            if expected is None:
                return Found(reason=f"It names trade {trades[0]}, which there is not.")
            return Found(expected, way)
    return _by_amount(line, by_amount())


def judge(line: StatementLine, expected: Expected, name: NameMatch) -> Judgement:
    """Does the line prove this payment? Everything must agree, to the cent and to the letter."""
    problem = _hard_problem(line, expected) or _state_problem(expected)
    if problem is None and name is NameMatch.NO_MATCH:
        problem = "The payer's name is not the buyer's: somebody else's money can't be accepted."
    if problem is not None:
        return Judgement("manual", problem, name)
    if name is NameMatch.MATCH:
        return Judgement("verifying", None, name)
    words = {
        NameMatch.CLOSE: "The payer's name is close to the buyer's, but not the same.",
        NameMatch.NOT_POSSIBLE: "The payer's name can't be compared with the buyer's.",
    }
    return Judgement("manual", words[name], name)


def needs_nobody(line: StatementLine) -> str | None:
    """Why a line is set aside without a search: it can't be a payment of a trade."""
    if line.reversal:
        return None
    if line.direction == "debit":
        return "Money that left the account."
    if line.outcome is not Outcome.PROCESSED:
        return "Not booked yet: the booked line counts."
    return None


def confirmable(line: StatementLine, expected: Expected, name: NameMatch) -> str | None:
    """Why even a person may not accept this line; None when one may."""
    if problem := _hard_problem(line, expected):
        return problem
    if name is NameMatch.NO_MATCH:
        return "The payer's name is not the buyer's: that is never accepted, by anybody."
    return _state_problem(expected)


def _hard_problem(line: StatementLine, expected: Expected) -> str | None:
    if line.reversal:
        return f"A reversal: the money of trade {expected.trade_id} went back."
    if line.outcome is not Outcome.PROCESSED:
        return "It is not a booked credit."
    if not line.account or line.account != expected.payee_account:
        return f"It arrived on another account than the seller's of trade {expected.trade_id}."
    if line.amount.asset.code != expected.amount.asset.code:
        code = expected.amount.asset.code
        return f"It is in {line.amount.asset.code}; trade {expected.trade_id} wants {code}."
    if line.amount != expected.amount:
        return f"It is {line.amount}; trade {expected.trade_id} wants exactly {expected.amount}."
    return None


def _state_problem(expected: Expected) -> str | None:
    if expected.state in WAITING:
        return None
    state = expected.state.replace("_", " ")
    return f"Trade {expected.trade_id} is {state}: it waits for no payment."


def _by_amount(line: StatementLine, candidates: Iterable[Expected]) -> Found:
    fitting = [expected for expected in candidates if _fits(line, expected)]
    if len(fitting) == 1:
        return Found(fitting[0], "amount")
    if fitting:
        trades = ", ".join(str(expected.trade_id) for expected in fitting)
        return Found(reason=f"It fits several trades by its amount: {trades}.")
    return Found(reason="It names no trade, and no trade fits its amount and payer.")


def _fits(line: StatementLine, expected: Expected) -> bool:
    return (
        line.amount == expected.amount
        and bool(line.payer_account)
        and line.payer_account == expected.payer_account
        and line.account == expected.payee_account
        and line.booking_date is not None
        and expected.opened <= line.booking_date <= expected.closes + BOOKING_SLACK
    )
