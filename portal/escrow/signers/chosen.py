"""The platform's two keys, as the settings name them.

`relayer` pays gas and co-signs withdrawals; `arbiter` signs decisions on disputes.
"""

from functools import cache, partial
from pathlib import Path

from pydantic import SecretStr

from portal.core.errors import Conflict, Forbidden
from portal.core.key_source import KeySource
from portal.core.settings import DEV_CHAIN_ID, Settings
from portal.escrow.signers.keystore import KeystoreSigner, read_password
from portal.escrow.signers.local import LocalSigner
from portal.escrow.signers.remote import RemoteSigner
from portal.escrow.signers.signer import Signer


def relayer(settings: Settings) -> Signer:
    """The key that pays gas. Raises a PortalError naming the setting that is wrong."""
    return _signer(settings, settings.relayer_source)


def arbiter(settings: Settings) -> Signer:
    """The key that signs decisions. Raises a PortalError naming the setting that is wrong."""
    return _signer(settings, settings.arbiter_source)


def _signer(settings: Settings, source: KeySource) -> Signer:
    if problems := source.problems():
        raise Conflict(problems[0], field=source.role)
    may_be_clear = settings.is_demo or settings.chain_id == DEV_CHAIN_ID
    if not may_be_clear and (problems := source.clear_problems()):
        raise Forbidden(problems[0], field=f"{source.role}_KEY")
    return _opened(source, settings.signer_timeout_seconds)


@cache
def _opened(source: KeySource, timeout: float) -> Signer:
    """One signer a process and source: a keystore takes a second to open."""
    role = source.role
    if source.signer_url:
        name = f"{role}_SIGNER_URL"
        return RemoteSigner(source.signer_url, str(source.address), timeout, name)
    if source.keystore is None:
        return _fitting(LocalSigner(source.key.get_secret_value(), f"{role}_KEY"), source)
    password = partial(_password, source.password, source.password_file, f"{role}_PASSWORD_FILE")
    return _fitting(KeystoreSigner(source.keystore, password, f"{role}_KEYSTORE"), source)


def _password(given: SecretStr | None, file: Path | None, name: str) -> str:
    if file is not None:
        return read_password(file, name)
    return given.get_secret_value() if given is not None else ""


def _fitting(signer: Signer, source: KeySource) -> Signer:
    if source.address and source.address.lower() != signer.address.lower():
        raise Conflict(
            f"{source.role}_ADDRESS is {source.address}, but its key is that of {signer.address}.",
            field=f"{source.role}_ADDRESS",
        )
    return signer
