"""A rate, and discounts on it for a time and a group. The best one counts; they don't add up."""

from decimal import Decimal
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from portal.plugin_api import (
    PartyFacts,
    ProviderSettings,
    SideFee,
    SideFeeModel,
    SideRole,
    TradeFacts,
    party_of,
    rate_fee,
)

_AMOUNT = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"


class Promotion(BaseModel):
    """A discount from a moment on and before another, for everybody or a group."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60, title="Name")
    group: str = Field(
        "", max_length=100, title="Group", description="Empty: everybody. Else members only."
    )
    starts: AwareDatetime = Field(title="Starts", description="Like 2026-12-01T00:00:00Z.")
    ends: AwareDatetime = Field(title="Ends", description="The first moment it no longer counts.")
    discount: int = Field(ge=1, le=100, title="Discount (%)")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.ends <= self.starts:
            raise ValueError(f"the promotion {self.name} ends before it starts")
        return self


class PromotionsSettings(ProviderSettings):
    """Rates and promotions."""

    maker_bps: int = Field(10, ge=0, le=1000, title="Maker rate (bps)")
    taker_bps: int = Field(20, ge=0, le=1000, title="Taker rate (bps)")
    promotions: tuple[Promotion, ...] = Field((), title="Promotions")
    min_fee: str = Field("0", pattern=_AMOUNT, title="Smallest fee", description="0 = none.")
    max_fee: str = Field("0", pattern=_AMOUNT, title="Largest fee", description="0 = none.")

    @model_validator(mode="after")
    def _cap_above_floor(self) -> Self:
        if 0 < Decimal(self.max_fee) < Decimal(self.min_fee):
            raise ValueError("the largest fee is below the smallest fee")
        return self


class Promotions(SideFeeModel):
    """Rates with discounts for a time and a group."""

    slug = "promotions"
    label = "Promotions"
    settings_model = PromotionsSettings

    def side_fee(self, facts: TradeFacts, role: SideRole, settings: PromotionsSettings) -> SideFee:
        """The rate less the best discount this side has at the time of the match."""
        found = best_promotion(facts, party_of(facts, role), settings.promotions)
        bps = settings.maker_bps if role == "maker" else settings.taker_bps
        paid = rate_fee(
            facts.quantity,
            bps,
            discount=found.discount if found else 0,
            floor=settings.min_fee,
            cap=settings.max_fee,
        )
        return SideFee(paid.fee, f"{paid.words}, {found.name}") if found else paid


def best_promotion(
    facts: TradeFacts, party: PartyFacts, promotions: tuple[Promotion, ...]
) -> Promotion | None:
    """The largest discount; of equal ones the first listed."""
    running = [
        one
        for one in promotions
        if one.starts <= facts.at < one.ends and (not one.group or one.group in party.groups)
    ]
    return max(running, key=lambda one: one.discount, default=None)
