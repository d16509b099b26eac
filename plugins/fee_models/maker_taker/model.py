"""The formula.

fee = min(max(ceil(quantity * bps / 10,000), minimum), quantity), in ledger units of the base
coin, each side for itself. It rounds up, so that a fee is never less than the rate says and
never a whole unit more; a side whose rate is zero pays nothing, not the minimum.
"""

from decimal import ROUND_CEILING, Decimal

from pydantic import Field

from portal.plugin_api import FeeModel, Fees, Money, ProviderSettings, TradeFacts


class MakerTakerSettings(ProviderSettings):
    """Rates in basis points (hundredths of a percent) of the traded coins."""

    maker_bps: int = Field(
        10,
        ge=0,
        le=1000,
        title="Maker rate (bps)",
        description="Paid by the side whose order was in the book first. 10 bps = 0.10 %.",
    )
    taker_bps: int = Field(
        20,
        ge=0,
        le=1000,
        title="Taker rate (bps)",
        description="Paid by the side that took the order.",
    )
    min_fee: str = Field(
        "0",
        pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$",
        title="Smallest fee",
        description="In the market's coin, for each side whose rate is not zero. 0 = none.",
    )


class MakerTaker(FeeModel):
    """Maker and taker rates with a minimum."""

    slug = "maker_taker"
    label = "Maker-taker"
    settings_model = MakerTakerSettings

    def quote(self, facts: TradeFacts, settings: MakerTakerSettings) -> Fees:
        """Both fees of this trade, with the arithmetic in words."""
        quantity = facts.quantity
        least = _minimum_units(settings.min_fee, quantity.asset.places)
        maker = _fee(quantity, settings.maker_bps, least)
        taker = _fee(quantity, settings.taker_bps, least)
        return Fees(maker, taker, _explain(quantity, maker, taker, settings))


def _fee(quantity: Money, bps: int, least: int) -> Money:
    if bps == 0:
        return Money(quantity.asset, 0)
    rounded_up = -(-quantity.units * bps // 10_000)
    return Money(quantity.asset, min(max(rounded_up, least), quantity.units))


def _minimum_units(text: str, places: int) -> int:
    return int((Decimal(text) * 10**places).to_integral_value(rounding=ROUND_CEILING))


def _explain(quantity: Money, maker: Money, taker: Money, settings: MakerTakerSettings) -> str:
    code = quantity.asset.code
    line = (
        f"Maker {_percent(settings.maker_bps)} % of {quantity.text()} {code} = {maker.text()}; "
        f"taker {_percent(settings.taker_bps)} % = {taker.text()}; rounded up"
    )
    if Decimal(settings.min_fee) > 0:
        line += f"; at least {settings.min_fee} {code} each"
    return line + "."


def _percent(bps: int) -> str:
    return f"{bps // 100}.{bps % 100:02d}"
