"""A fixed amount of the traded coin for each side, never more than the trade."""

from pydantic import BaseModel, ConfigDict, Field

from portal.plugin_api import (
    InvalidInput,
    Money,
    ProviderSettings,
    SideFee,
    SideFeeModel,
    SideRole,
    TradeFacts,
)

_AMOUNT = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"


class CoinFee(BaseModel):
    """What a trade of one coin costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coin: str = Field(pattern=r"^[A-Z0-9]{2,10}$", title="Coin")
    maker: str = Field(pattern=_AMOUNT, title="Maker pays")
    taker: str = Field(pattern=_AMOUNT, title="Taker pays")


def _coin(coin: str, maker: str, taker: str) -> CoinFee:
    return CoinFee(coin=coin, maker=maker, taker=taker)


class FlatSettings(ProviderSettings):
    """A row for each coin."""

    fees: tuple[CoinFee, ...] = Field(
        (
            _coin("USDT", "0.5", "1"),
            _coin("BTC", "0.000005", "0.00001"),
            _coin("ETH", "0.0002", "0.0004"),
        ),
        title="Fees",
        description="A coin without a row can't be traded at this model's fees.",
    )


class Flat(SideFeeModel):
    """The same amount for every trade of a coin."""

    slug = "flat"
    label = "Flat"
    settings_model = FlatSettings

    def side_fee(self, facts: TradeFacts, role: SideRole, settings: FlatSettings) -> SideFee:
        """The coin's amount. Raises InvalidInput for a coin without a row."""
        asset = facts.quantity.asset
        for row in settings.fees:
            if row.coin == asset.code:
                text = row.maker if role == "maker" else row.taker
                fee = Money.parse(text, asset, field=f"{row.coin} {role}")
                if facts.quantity < fee:
                    return SideFee(
                        facts.quantity,
                        f"flat {fee}, never more than the trade = {facts.quantity.text()}",
                    )
                return SideFee(fee, f"flat {fee}")
        raise InvalidInput(
            f"No flat fee is set for {asset.code}.",
            field="fees",
            value=asset.code,
            hint="Add a row for the coin, or give its market another fee model.",
        )
