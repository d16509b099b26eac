"""Keys in encrypted files: Web3 Secret Storage version 3, as geth and every wallet write them."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from eth_account import Account
from eth_utils.address import is_address, to_checksum_address
from hexbytes import HexBytes

from portal.core.errors import Conflict, InvalidInput, Unavailable
from portal.escrow.signers.local import LocalSigner
from portal.escrow.signers.signer import SignedTransaction
from portal.escrow.typed_data import TypedData

SHORTEST_PASSWORD = 12
_OWNER_ONLY = 0o600


def write_keystore(path: Path, key: str | bytes, password: str) -> str:
    """Encrypt a key into a new file that only its owner may read; returns the address.

    scrypt with N = 2^18 (256 MB, about a second). Raises Conflict rather than overwrite a file,
    InvalidInput for no key or a short password.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(
            f"The password has {len(password)} characters: use {SHORTEST_PASSWORD} or more.",
            field="password",
        )
    address = LocalSigner(key).address
    content = json.dumps(Account.encrypt(bytes(HexBytes(key)), password, kdf="scrypt")) + "\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        raise Conflict(f"{path} exists: a keystore is never overwritten.", field="path") from None
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror}.", field="path") from None
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return address


def read_password(path: Path, name: str) -> str:
    """The first line of a password file. Raises Unavailable naming the setting `name`."""
    try:
        return path.read_text().split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"{name} is {path}, which can't be read: {type(error).__name__}.", field=name
        ) from None


class KeystoreSigner:
    """Signs with the key of a keystore file, which is opened for the first signature.

    Whoever only needs the address (the web role) needs no password. `name` is the setting that
    names the file; `password` gives the password when it is needed.
    """

    def __init__(self, path: Path, password: Callable[[], str], name: str) -> None:
        self._path, self._password, self._name = path, password, name
        self._content = _read(path, name)
        self._opened: LocalSigner | None = None
        self._lock = Lock()
        written = str(self._content.get("address", ""))
        self._address = str(to_checksum_address(written)) if is_address(written) else None

    def __repr__(self) -> str:
        return f"KeystoreSigner({self._path}, {self._address})"

    @property
    def address(self) -> str:
        """The address that the file names; a file without one is opened for it."""
        if self._address is None:
            self._address = self.open().address
        return self._address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign an EIP-1559 transaction."""
        return self.open().sign_transaction(transaction)

    def sign_typed(self, data: TypedData) -> str:
        """Sign EIP-712 data."""
        return self.open().sign_typed(data)

    def open(self) -> LocalSigner:
        """Decrypt the key, once. Raises Unavailable when the password is wrong or the file is not
        what it says.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._decrypted()
            return self._opened

    def _decrypted(self) -> LocalSigner:
        password = self._password()
        try:
            key = bytes(Account.decrypt(self._content, password))
        except Exception as error:
            why = "the password is wrong" if isinstance(error, ValueError) else "it is damaged"
            raise _unusable(self._path, self._name, f"does not open: {why}") from None
        signer = LocalSigner(key, self._name)
        if self._address is not None and signer.address != self._address:
            raise _unusable(
                self._path, self._name, f"names {self._address} but holds {signer.address}"
            )
        return signer


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise _unusable(path, name, f"can't be read: {error.strerror}") from None
    except ValueError:
        raise _unusable(path, name, "is not JSON") from None
    if not isinstance(content, dict) or content.get("version") != 3:
        raise _unusable(path, name, "is not a keystore of version 3")
    return content


def _unusable(path: Path, name: str, why: str) -> Unavailable:
    return Unavailable(
        f"The keystore {path} {why}.",
        field=name,
        hint=f"Correct {name}, or make a keystore with `portal escrow key new`.",
    )
