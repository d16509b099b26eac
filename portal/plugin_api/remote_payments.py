"""Payments that a company handles for the portal: started there, asked about, told by webhook."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from portal.core.errors import Unauthorized
from portal.core.money import Money


class Outcome(StrEnum):
    """What became of a payment. A timeout is UNDEFINED, never ERROR: it is asked again."""

    PROCESSED = "processed"
    PENDING = "pending"
    ERROR = "error"
    CANCELED = "canceled"
    UNDEFINED = "undefined"


class BadSignature(Unauthorized):
    """A webhook is not signed by the company: nothing of it is believed, nothing is stored."""

    code = "bad_signature"


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A payment that now exists at the company.

    Attributes:
        payment_ref: the company's name of it; the same when it is started again for a trade.
        pay_url: where the payer pays (https).
    """

    payment_ref: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """What the company says about a payment now.

    Attributes:
        amount: what was paid so far; None when the company does not say.
        payer_name: as the company knows it; empty when it does not say.
        reason: why it failed, for people.
    """

    payment_ref: str
    outcome: Outcome
    amount: Money | None = None
    payer_name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came in.

    Attributes:
        headers: names in lower case.
        body: exactly the bytes that were sent: a signature is over these.
        received: when, UTC; signatures older than a gateway's tolerance are refused by it.
    """

    headers: Mapping[str, str]
    body: bytes
    received: datetime


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What a webhook told, once its signature was found good.

    Attributes:
        event_id: the company's, unique; a second one of the same id changes nothing.
        reference: the trade's `reference`, as it was given to the company.
        occurred: when it happened there, UTC. An older event never undoes a newer one.
        details: short facts worth keeping for staff; no secrets, no card numbers.
    """

    event_id: str
    reference: str
    status: PaymentStatus
    occurred: datetime
    details: Mapping[str, str] = field(default_factory=dict)
