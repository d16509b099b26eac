"""Which model a side pays by: the first row that fits the market, the country and the method.

Composition is a model of its own, because the scopes of settings know only markets; a row also
asks for the country of the person and the payment method. Where no row fits, the rates here count.
"""

from pydantic import BaseModel, ConfigDict, Field

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


class Row(BaseModel):
    """Where a model counts. An empty list fits everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    markets: tuple[str, ...] = Field((), title="Markets")
    countries: tuple[str, ...] = Field((), title="Countries (ISO 3166-1)")
    methods: tuple[str, ...] = Field((), title="Payment methods")
    model: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        title="Model",
        description="The slug of another fee model; it counts with its own settings.",
    )

    def fits(self, facts: TradeFacts, party: PartyFacts) -> bool:
        """Does this row say what this side pays?"""
        return (
            (not self.markets or facts.market in self.markets)
            and (not self.countries or party.country in self.countries)
            and (not self.methods or facts.method in self.methods)
        )


class ComposedSettings(ProviderSettings):
    """Rows, and rates for what no row fits."""

    rows: tuple[Row, ...] = Field((), title="Rows", description="The first that fits counts.")
    maker_bps: int = Field(10, ge=0, le=1000, title="Maker rate where no row fits (bps)")
    taker_bps: int = Field(20, ge=0, le=1000, title="Taker rate where no row fits (bps)")


class Composed(SideFeeModel):
    """Another model for each side, by market, country and payment method."""

    slug = "composed"
    label = "Composed"
    settings_model = ComposedSettings

    def model_for(
        self, facts: TradeFacts, role: SideRole, settings: ComposedSettings
    ) -> str | None:
        """The model of the first row that fits this side."""
        party = party_of(facts, role)
        return next((row.model for row in settings.rows if row.fits(facts, party)), None)

    def side_fee(self, facts: TradeFacts, role: SideRole, settings: ComposedSettings) -> SideFee:
        """The rate that counts where no row fits."""
        bps = settings.maker_bps if role == "maker" else settings.taker_bps
        return rate_fee(facts.quantity, bps)
