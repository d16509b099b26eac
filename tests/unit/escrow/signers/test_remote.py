"""A remote signer is asked in Web3Signer's words and believed only when the signature is right."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account

from portal.core.errors import Unavailable
from portal.core.settings import Settings
from portal.escrow import typed_data
from portal.escrow.signers.chosen import relayer
from portal.escrow.signers.local import LocalSigner
from portal.escrow.signers.remote import RemoteSigner
from tests.services.web3signer import FakeWeb3Signer, serving

KEY, OTHER = "0x" + "5a" * 32, "0x" + "77" * 32
ADDRESS = Account.from_key(KEY).address
DOMAIN = typed_data.Domain(1, "0x" + "00" * 19 + "01")
DATA = typed_data.wallet_binding(DOMAIN, 7, ADDRESS, 99)
TRANSACTION: dict[str, Any] = {
    "type": 2,
    "chainId": 1,
    "nonce": 7,
    "gas": 100_000,
    "maxFeePerGas": 30_000_000_000,
    "maxPriorityFeePerGas": 1_000_000_000,
    "to": "0x" + "00" * 19 + "42",
    "value": 0,
    "data": "0xdeadbeef",
}
CREATION = {name: value for name, value in TRANSACTION.items() if name != "to"}


@pytest.fixture
def service() -> Iterator[FakeWeb3Signer]:
    with serving(FakeWeb3Signer(KEY, chain_id=1)) as running:
        yield running


def remote(service: FakeWeb3Signer, address: str = ADDRESS, timeout: float = 5.0) -> RemoteSigner:
    return RemoteSigner(service.url, address, timeout, "RELAYER_SIGNER_URL")


@pytest.mark.parametrize("transaction", [TRANSACTION, CREATION])
def test_a_transaction_comes_back_as_a_local_key_would_sign_it(
    service: FakeWeb3Signer, transaction: dict[str, Any]
) -> None:
    assert remote(service).sign_transaction(transaction) == LocalSigner(KEY).sign_transaction(
        transaction
    )


def test_typed_data_is_sent_as_the_bytes_that_are_hashed(service: FakeWeb3Signer) -> None:
    signature = remote(service).sign_typed(DATA)
    assert signature == LocalSigner(KEY).sign_typed(DATA)
    assert service.seen[0] == "/api/v1/eth1/publicKeys"
    assert service.seen[1].startswith("/api/v1/eth1/sign/0x")


def test_a_parity_of_nought_or_one_is_made_what_contracts_take(service: FakeWeb3Signer) -> None:
    right = LocalSigner(KEY).sign_typed(DATA)
    signer = remote(service)
    signer.public_key()
    service.answer = right[:-2] + {"1b": "00", "1c": "01"}[right[-2:]]
    assert signer.sign_typed(DATA) == right


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nonce", 8),
        ("gas", 99_999),
        ("maxFeePerGas", 10**12),
        ("maxPriorityFeePerGas", 2),
        ("value", 1),
        ("chainId", 5),
        ("to", "0x" + "00" * 19 + "43"),
        ("data", "0xdeadbeee"),
        ("accessList", [{"address": "0x" + "00" * 19 + "42", "storageKeys": []}]),
    ],
)
def test_a_transaction_that_was_changed_is_refused(
    service: FakeWeb3Signer, field: str, value: object
) -> None:
    service.twist = lambda asked: {**asked, field: value}
    with pytest.raises(Unavailable, match=f"gave back a transaction with another {field}"):
        remote(service).sign_transaction(TRANSACTION)


def test_a_transaction_by_another_key_is_refused(service: FakeWeb3Signer) -> None:
    by_another = Account.sign_transaction(TRANSACTION, OTHER).raw_transaction.hex()
    service.answer = f'{{"jsonrpc": "2.0", "id": 1, "result": "{by_another}"}}'
    with pytest.raises(Unavailable, match=f"not by {ADDRESS}"):
        remote(service).sign_transaction(TRANSACTION)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "refused eth_signTransaction: no result"),
        ("[]", "refused eth_signTransaction: no result"),
        ('{"error": {"code": -32602, "message": "Invalid params"}}', ": Invalid params"),
        ('{"result": "0xzz"}', "gave back no hexadecimal transaction"),
        ('{"result": "0x02c0"}', "gave back bytes that are no EIP-1559 transaction"),
    ],
)
def test_nonsense_for_a_transaction_is_refused(
    service: FakeWeb3Signer, answer: str, said: str
) -> None:
    service.answer = answer
    with pytest.raises(Unavailable, match=said):
        remote(service).sign_transaction(TRANSACTION)


def test_typed_data_that_was_changed_is_refused(service: FakeWeb3Signer) -> None:
    service.twist = lambda asked: asked[:-1] + b"\0"
    with pytest.raises(Unavailable, match="gave back a signature that is by 0x"):
        remote(service).sign_typed(DATA)


@pytest.mark.parametrize("answer", ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "nonsense"])
def test_nonsense_for_a_signature_is_refused(service: FakeWeb3Signer, answer: str) -> None:
    signer = remote(service)
    signer.public_key()
    service.answer = answer
    with pytest.raises(Unavailable, match="gave back a signature that"):
        signer.sign_typed(DATA)


def test_a_key_that_the_signer_has_not_got_is_named(service: FakeWeb3Signer) -> None:
    stranger = remote(service, address=Account.from_key(OTHER).address)
    with pytest.raises(Unavailable, match="has no key of 0x"):
        stranger.sign_typed(DATA)
    with pytest.raises(Unavailable, match="From address does not match"):
        stranger.sign_transaction(TRANSACTION)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_http_error_is_not_an_answer(service: FakeWeb3Signer, status: int) -> None:
    service.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        remote(service).sign_transaction(TRANSACTION)
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        remote(service).sign_typed(DATA)


def test_a_slow_signer_is_not_waited_for(service: FakeWeb3Signer) -> None:
    service.delay = 1.0
    with pytest.raises(Unavailable, match="does not answer: ReadTimeout") as refused:
        remote(service, timeout=0.1).sign_transaction(TRANSACTION)
    assert refused.value.field == "RELAYER_SIGNER_URL"


def test_a_dead_signer_is_named_without_its_secrets() -> None:
    settings = Settings(
        _env_file=None,
        portal_env="production",
        relayer_signer_url="http://name:s3cret@127.0.0.1:1/key?token=s3cret",
        relayer_address=ADDRESS,
    )
    with pytest.raises(
        Unavailable, match=r"The signer at http://127.0.0.1:1 does not answer"
    ) as no:
        relayer(settings).sign_transaction(TRANSACTION)
    assert "s3cret" not in f"{no.value.as_dict()} {relayer(settings)!r}"
