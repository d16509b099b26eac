"""The commands of a shard: the only way to change an order, a trade's state or a balance.

Amounts are ledger units, prices market ticks, times milliseconds since 1970, all within 64 bits;
anything else is refused before it reaches the journal. `key` makes a command idempotent: the same
key gives the same answer, another payload under it is an error.

A command is JSON: an object whose `kind` names it. `parse_command` is the one reader of it.
"""

from portal.engine.commands.fields import Command
from portal.engine.commands.markets import (
    ClockTick,
    DefineMarket,
    Deposit,
    IndexTick,
    Withdraw,
)
from portal.engine.commands.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Conditions,
    Facts,
    MassQuote,
    PauseOrder,
    PlaceOrder,
    Quote,
    SetAway,
)
from portal.engine.commands.reading import AnyCommand, encode_command, parse_command
from portal.engine.commands.trades import (
    CancelTrade,
    ClearTrade,
    EscrowLocked,
    Expire,
    LockFailed,
    MarkPaid,
    OpenDispute,
    Release,
    Resolve,
    Settled,
    VerifyPayment,
)

__all__ = [
    "AmendOrder",
    "AnyCommand",
    "CancelAll",
    "CancelOrder",
    "CancelTrade",
    "ClearTrade",
    "ClockTick",
    "Command",
    "Conditions",
    "DefineMarket",
    "Deposit",
    "EscrowLocked",
    "Expire",
    "Facts",
    "IndexTick",
    "LockFailed",
    "MarkPaid",
    "MassQuote",
    "OpenDispute",
    "PauseOrder",
    "PlaceOrder",
    "Quote",
    "Release",
    "Resolve",
    "SetAway",
    "Settled",
    "VerifyPayment",
    "Withdraw",
    "encode_command",
    "parse_command",
]
