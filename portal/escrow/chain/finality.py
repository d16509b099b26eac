"""From which block on something counts: so deep, or called final by the chain."""

from portal.core.settings import Settings
from portal.escrow.chain.client import ChainClient


def counted_height(settings: Settings, newest: int, finalized: int) -> int:
    """The highest block whose contents count; -1 when none does yet."""
    if settings.chain_finality == "finalized":
        return finalized
    return newest - max(1, settings.chain_confirmations) + 1


def counted_now(settings: Settings, client: ChainClient) -> int:
    """The same, asked of the chain."""
    if settings.chain_finality == "finalized":
        final = client.finalized()
        return -1 if final is None else final.number
    return counted_height(settings, client.block_number(), -1)
