"""What a gateway can do, and how far money that came over it may be trusted."""

from dataclasses import dataclass
from enum import StrEnum

from portal.core.money import Money


class Capability(StrEnum):
    """What a gateway can do beyond telling the payer what to pay.

    `STATEMENT`: payments are found on statement files that staff imports (`parse_statement`).
    `WEBHOOK`: a company tells the portal of payments (`read_webhook`).
    `VERIFY`: the gateway can be asked about a payment (`payment_status`).
    `HOSTED`: the payer pays on a page of the company (`start_payment`).
    `PAY_IN`, `PAY_OUT`, `REFUND`: the ways in which it moves money.

    A gateway with none of STATEMENT, WEBHOOK and VERIFY leaves it to the seller to say that the
    money is there.
    """

    PAY_IN = "pay_in"
    PAY_OUT = "pay_out"
    REFUND = "refund"
    VERIFY = "verify"
    WEBHOOK = "webhook"
    STATEMENT = "statement"
    HOSTED = "hosted"


class Reversibility(StrEnum):
    """Can a payment that arrived be taken back?

    `FINAL`: by nobody (cash, a confirmed transfer on a chain). `RECALL`: the payer's bank may ask,
    the payee's consent or a court decides (SEPA credit transfer). `CHARGEBACK`: the payer alone
    can start it (cards, direct debit).
    """

    FINAL = "final"
    RECALL = "recall"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True)
class HoldStep:
    """For how long the coins stay after a payment of up to `up_to` is verified.

    Attributes:
        up_to: the largest payment of this step, included; None for every larger one.
        seconds: 0 for no wait.
    """

    up_to: Money | None
    seconds: int


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What a payment over this gateway is worth.

    Attributes:
        reversible_seconds: for how long it can be taken back; 0 where it can't, or where nothing
            is known.
        minimum: the smallest payment, included; None for no limit.
        maximum: the largest payment, included; None for no limit.
        holds: the hold curve, from small to large; empty for no wait at all.
    """

    reversibility: Reversibility
    reversible_seconds: int = 0
    minimum: Money | None = None
    maximum: Money | None = None
    holds: tuple[HoldStep, ...] = ()

    def allows(self, amount: Money) -> bool:
        """Is a payment within the limits? Limits in other money don't count."""
        low, high = _same(self.minimum, amount), _same(self.maximum, amount)
        too_small = low is not None and amount.units < low.units
        too_large = high is not None and amount.units > high.units
        return not too_small and not too_large

    def hold_seconds(self, amount: Money) -> int:
        """How long coins wait for a payment of this size: the first step that it fits in.

        A payment larger than every step waits as long as the longest.
        """
        for step in self.holds:
            if step.up_to is None or (step.up_to.asset == amount.asset and amount <= step.up_to):
                return step.seconds
        return max((step.seconds for step in self.holds), default=0)


def _same(limit: Money | None, amount: Money) -> Money | None:
    return limit if limit is not None and limit.asset == amount.asset else None
