"""The desk reads everything an order says in words, and never a private offer's link."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.core.clock import now_ms
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres


def test_an_order_with_everything_is_told_in_words(
    as_role: Callable[[str], FlaskClient], services: desk.DeskServices
) -> None:
    alice, _ = scenes.people_and_market(services.database)
    link = "f" * 32
    order = scenes.order(
        77,
        alice,
        price_kind="floating",
        price_ticks=None,
        margin_bps=-25,
        floor_ticks=9_100,
        ceiling_ticks=9_500,
        tif="GTD",
        expires_ms=now_ms() + 86_400_000,
        post_only=True,
        shared=True,
        stp="cancel_both",
        hours=[[540, 1020]],
        conditions={"min_tier": 2, "min_trades": 10, "regions": ["DE", "NL"]},
        link=link,
        via="abcdef0123456789",
        quote_set="main",
        paused="hours",
    )
    with services.database.transaction() as session:
        session.add(order)
    client = as_role("Support")
    page = client.get("/backoffice/orders/77").text
    for words in (
        "−0.25%",
        "at least",
        "at most",
        "Identity tier 2 or higher.",
        "At least 10 completed trades.",
        "Only people from DE, NL.",
        "Mon 09:00 – Mon 17:00 UTC",
        "shared with other orders",
        "both go",
        "those who have its link",
        "quote set main",
        "outside its working hours",
    ):
        assert words in page, words
    assert link not in page
    paused = client.get("/backoffice/orders/?tab=paused").text
    assert "77" in paused
