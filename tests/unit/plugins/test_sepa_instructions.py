import re
import shutil
import subprocess
from pathlib import Path

import pytest
import segno

from plugins.payment_gateways.sepa.gateway import SepaGateway
from plugins.payment_gateways.sepa.settings import SepaSettings
from portal.plugin_api import Asset, Money, PaymentInstructions, PaymentRequest

GATEWAY = SepaGateway()
EUR = Asset("EUR", 2)
REFERENCE = GATEWAY.reference(7)
PAYEE = {"iban": "DE89370400440532013000", "holder": "Jürgen Müller", "bic": ""}


def instructions(cents: int = 92_10, currency: Asset = EUR) -> PaymentInstructions:
    request = PaymentRequest(7, Money(currency, cents), PAYEE, GATEWAY.reference(7))
    return GATEWAY.instructions(request, SepaSettings(window_hours=3))


def test_the_buyer_sees_payee_amount_reference_and_window() -> None:
    told = instructions()
    assert [(field.name, field.value) for field in told.payee] == [
        ("holder", "Jürgen Müller"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
    ]
    assert told.amount.text() == "92.10"
    assert told.reference.replace(" ", "") == GATEWAY.reference(7)
    assert told.window_seconds == 3 * 3600


def test_the_text_never_speaks_of_coins() -> None:
    assert not re.search("crypto|coin|usdt|bitcoin", instructions().text, re.I)


@pytest.mark.parametrize(("cents", "currency"), [(0, EUR), (10**11, EUR), (1, Asset("SEK", 2))])
def test_no_code_where_the_standard_has_none(cents: int, currency: Asset) -> None:
    assert instructions(cents, currency).qr_svg is None


@pytest.mark.parametrize(
    ("cents", "amount"),
    [(1, "EUR0.01"), (92_10, "EUR92.1"), (100_00, "EUR100"), (99_999_999_999, "EUR999999999.99")],
)
def test_the_code_holds_the_fields_of_epc069_12(cents: int, amount: str) -> None:
    payload = "\n".join(
        ["BCD", "002", "1", "SCT", "", "Jürgen Müller", PAYEE["iban"], amount, "", REFERENCE]
    )
    svg = instructions(cents).qr_svg
    assert svg is not None
    drawn = modules(svg)
    expected = segno.make_qr(payload.encode(), error="m", boost_error=False)
    assert drawn == [[bool(module) for module in row] for row in expected.matrix]


@pytest.mark.skipif(shutil.which("zbarimg") is None, reason="zbarimg (zbar-tools) not installed")
def test_a_reader_of_qr_codes_reads_it(tmp_path: Path) -> None:
    svg = instructions().qr_svg
    assert svg is not None
    image = tmp_path / "code.pbm"
    image.write_text(as_image(modules(svg)))
    command = ["zbarimg", "-q", "--raw", "--oneshot", "-Sbinary", str(image)]
    read = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert read.split("\n")[3:] == [
        "SCT", "", "Jürgen Müller", PAYEE["iban"], "EUR92.1", "", REFERENCE,
    ]  # fmt: skip


def test_the_drawing_is_nothing_but_a_drawing() -> None:
    svg = instructions().qr_svg
    assert svg is not None
    assert set(re.findall(r"<(\w+)", svg)) == {"svg", "path"}


def modules(svg: str) -> list[list[bool]]:
    """The dark modules of the drawing, without the quiet zone of four."""
    size = int(re.search(r'viewBox="0 0 (\d+)', svg).group(1)) - 8  # type: ignore[union-attr]
    path = re.search(r'class="qrline"[^>]* d="([^"]+)"', svg).group(1)  # type: ignore[union-attr]
    grid = [[False] * size for _ in range(size)]
    x = y = 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?", path):
        if command == "h":
            for column in range(int(x), int(x) + int(first)):
                grid[int(y) - 4][column - 4] = True
            x += int(first)
        else:
            absolute = command == "M"
            x = float(first) + (0 if absolute else x)
            y = float(second) + (0 if absolute else y)
    return grid


def as_image(grid: list[list[bool]], scale: int = 6, quiet: int = 4) -> str:
    """A portable bitmap with its quiet zone."""
    width = (len(grid) + 2 * quiet) * scale
    margin = [False] * quiet
    rows = [margin + row + margin for row in grid]
    empty = [[False] * (len(grid) + 2 * quiet)] * quiet
    pixels = [
        " ".join("1" if dark else "0" for dark in row for _ in range(scale))
        for row in empty + rows + empty
        for _ in range(scale)
    ]
    return f"P1 {width} {width}\n" + "\n".join(pixels) + "\n"
