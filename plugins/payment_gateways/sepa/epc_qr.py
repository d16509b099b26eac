"""The EPC QR code ("Girocode", EPC069-12 version 002): banking apps fill in the transfer."""

import io
from decimal import Decimal

from segno import helpers

from portal.plugin_api import Money

# EPC069-12, element 8: EUR 0.01 to 999,999,999.99.
LARGEST_CENTS = 99_999_999_999


def svg(*, holder: str, iban: str, bic: str, amount: Money, reference: str) -> str:
    """An SVG document that sizes to its box.

    Raises ValueError for an amount or a text outside the standard's limits.
    """
    code = helpers.make_epc_qr(
        name=holder,
        iban=iban,
        amount=Decimal(amount.text()),
        reference=reference,
        bic=bic or None,
        encoding="utf-8",
    )
    document = io.BytesIO()
    code.save(
        document, kind="svg", border=4, xmldecl=False, omitsize=True, light="#fff", dark="#000"
    )
    return document.getvalue().decode().strip()
