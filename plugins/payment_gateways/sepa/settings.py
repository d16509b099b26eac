"""What an operator can set."""

from pydantic import Field

from portal.plugin_api import ProviderSettings


class SepaSettings(ProviderSettings):
    """Settings of the SEPA gateway."""

    window_hours: int = Field(
        48,
        ge=1,
        le=240,
        title="Payment window (hours)",
        description="What this rail needs; an ordinary transfer takes one banking day. The clock "
        "that ends a trade is the payment window of its market.",
    )
    max_statement_mb: int = Field(
        5,
        ge=1,
        le=50,
        title="Largest statement file (MB)",
        description="A larger file is refused before it is read.",
    )
