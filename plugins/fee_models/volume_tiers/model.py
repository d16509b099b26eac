"""Each side pays the rate of the highest tier that its own last 30 days reach."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from portal.plugin_api import (
    Money,
    ProviderSettings,
    SideFee,
    SideFeeModel,
    SideRole,
    TradeFacts,
    party_of,
    rate_fee,
)

_AMOUNT = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"


class Tier(BaseModel):
    """The rates from a volume on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field(pattern=r"^[A-Z0-9]{2,10}$", title="Currency")
    from_volume: str = Field(
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,8})?$",
        title="From this volume",
        description="What the person traded in the 30 days before, in this currency.",
    )
    maker_bps: int = Field(ge=0, le=1000, title="Maker rate (bps)")
    taker_bps: int = Field(ge=0, le=1000, title="Taker rate (bps)")


def _tier(volume: str, maker: int, taker: int) -> Tier:
    return Tier(currency="EUR", from_volume=volume, maker_bps=maker, taker_bps=taker)


class VolumeTiersSettings(ProviderSettings):
    """A base rate and tiers below it."""

    maker_bps: int = Field(10, ge=0, le=1000, title="Maker rate below all tiers (bps)")
    taker_bps: int = Field(20, ge=0, le=1000, title="Taker rate below all tiers (bps)")
    tiers: tuple[Tier, ...] = Field(
        (_tier("50000", 8, 16), _tier("250000", 5, 12), _tier("1000000", 2, 8)),
        title="Tiers",
        description="A market whose currency has no tiers takes the rates above.",
    )
    min_fee: str = Field("0", pattern=_AMOUNT, title="Smallest fee", description="0 = none.")
    max_fee: str = Field("0", pattern=_AMOUNT, title="Largest fee", description="0 = none.")

    @model_validator(mode="after")
    def _more_volume_costs_no_more(self) -> Self:
        for currency in {tier.currency for tier in self.tiers}:
            rates = [(self.maker_bps, self.taker_bps)]
            rows = [tier for tier in self.tiers if tier.currency == currency]
            for tier in sorted(rows, key=lambda row: Decimal(row.from_volume)):
                if tier.maker_bps > rates[-1][0] or tier.taker_bps > rates[-1][1]:
                    raise ValueError(
                        f"the tier from {tier.from_volume} {currency} costs more than the one below"
                    )
                rates.append((tier.maker_bps, tier.taker_bps))
        if 0 < Decimal(self.max_fee) < Decimal(self.min_fee):
            raise ValueError("the largest fee is below the smallest fee")
        return self


class VolumeTiers(SideFeeModel):
    """Rates that fall with the volume of 30 days."""

    slug = "volume_tiers"
    label = "Volume tiers"
    settings_model = VolumeTiersSettings

    def side_fee(self, facts: TradeFacts, role: SideRole, settings: VolumeTiersSettings) -> SideFee:
        """The rate of the side's tier."""
        volume = party_of(facts, role).traded_30d
        tier = None if volume is None else _reached(volume, settings.tiers)
        rates = settings if tier is None else tier
        bps = rates.maker_bps if role == "maker" else rates.taker_bps
        paid = rate_fee(facts.quantity, bps, floor=settings.min_fee, cap=settings.max_fee)
        known = "volume not known" if volume is None else f"{volume} in 30 days"
        step = "base rate" if tier is None else f"tier from {tier.from_volume}"
        return SideFee(paid.fee, f"{paid.words}, {step}: {known}")


def _reached(volume: Money, tiers: tuple[Tier, ...]) -> Tier | None:
    asset, best, best_from = volume.asset, None, -1
    for tier in tiers:
        if tier.currency == asset.code:
            start = Money.parse(tier.from_volume, asset, field="from_volume").units
            if best_from < start <= volume.units:
                best, best_from = tier, start
    return best
