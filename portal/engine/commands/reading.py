"""Commands as JSON: the one reader and the one writer."""

import json
from typing import Any

import msgspec
import orjson

from portal.core.errors import InvalidInput
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
    MassQuote,
    PauseOrder,
    PlaceOrder,
    SetAway,
)
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

# PostgreSQL stores no NUL in text: one such command would take its whole batch down.
_NUL = b"\\u0000"

AnyCommand = (
    DefineMarket
    | IndexTick
    | ClockTick
    | Deposit
    | Withdraw
    | PlaceOrder
    | MassQuote
    | AmendOrder
    | PauseOrder
    | SetAway
    | CancelOrder
    | CancelAll
    | ClearTrade
    | EscrowLocked
    | LockFailed
    | MarkPaid
    | VerifyPayment
    | Release
    | CancelTrade
    | Expire
    | OpenDispute
    | Resolve
    | Settled
)
_DECODER: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def encode_command(command: Any) -> bytes:
    """A command as the JSON that is journalled. Raises InvalidInput for what is no JSON."""
    try:
        return orjson.dumps(command)
    except orjson.JSONEncodeError:
        pass  # Mostly a number beyond 64 bits: the decoder then names its field.
    try:
        return json.dumps(command).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"This is no command: {error}.", field="command") from None


def parse_command(raw: Any) -> AnyCommand:
    """The typed command of its JSON, as bytes or read already.

    Raises InvalidInput naming the first field that is wrong.
    """
    text = raw if isinstance(raw, bytes) else encode_command(raw)
    if _NUL in text:
        raise InvalidInput("No text may contain the character NUL.", field="command")
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _in_words(str(error)) from None


def _in_words(problem: str) -> InvalidInput:
    """msgspec says "what is wrong - at `$.field`"; the part behind names the field."""
    what, _, place = problem.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").lstrip(".")
    if "field `" in what:
        path = ".".join(filter(None, (path, what.rsplit("`", 2)[1])))
    return InvalidInput(f"{path or 'command'}: {what}.", field=path or "command")
