"""Addresses in messages give no key away."""

import pytest

from portal.core.addresses import public_part


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mainnet.example/v3/0123456789abcdef", "https://mainnet.example"),
        ("https://user:secret@node.example:8545/?key=1", "https://node.example:8545"),
        ("http://127.0.0.1:8084", "http://127.0.0.1:8084"),
    ],
)
def test_only_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert public_part(url) == shown
