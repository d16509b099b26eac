"""The commands `portal escrow …`."""

from pathlib import Path

import click
from eth_account import Account

from portal.core.db import Database
from portal.core.errors import InvalidInput
from portal.core.logs import configure_logging
from portal.core.settings import load_settings, read_settings
from portal.escrow.deploying import deploy, record_deployed
from portal.escrow.deployment import Deployment
from portal.escrow.signers.chosen import arbiter, relayer
from portal.escrow.signers.keystore import read_password, write_keystore

commands: dict[str, click.Command] = {}
_PATH = click.Path(path_type=Path, dir_okay=False)
_TOKENS = click.option(
    "--token", "tokens", multiple=True, metavar="ASSET=ADDRESS", help="A coin's token contract."
)
_PASSWORD_FILE = click.option(
    "--password-file", type=_PATH, help="Its first line is the password; else it is asked for."
)


@click.group()
def key() -> None:
    """Keys in encrypted keystores. A key is never printed."""


@key.command("new")
@click.argument("path", type=_PATH)
@_PASSWORD_FILE
def key_new(path: Path, password_file: Path | None) -> None:
    """Make a key and keep it in a new keystore at PATH; prints the address."""
    made: bytes = Account.create().key
    click.echo(write_keystore(path, bytes(made), _password(password_file)))


@key.command("import")
@click.argument("path", type=_PATH)
@click.option("--key-file", type=_PATH, help="Holds the key in clear; else it is asked for.")
@_PASSWORD_FILE
def key_import(path: Path, key_file: Path | None, password_file: Path | None) -> None:
    """Encrypt a key that exists into a new keystore at PATH; prints the address."""
    # Asked for, not an argument: arguments stand in the shell's history and in `ps`.
    given = _key_in(key_file) if key_file else click.prompt("Key", hide_input=True, type=str)
    click.echo(write_keystore(path, given.strip(), _password(password_file)))


@key.command("show")
def key_show() -> None:
    """Print whose keys the settings name, and where they are kept; opens none of them."""
    settings = read_settings()
    for name, choose, source in (
        ("relayer", relayer, settings.relayer_source),
        ("arbiter", arbiter, settings.arbiter_source),
    ):
        click.echo(f"{name}  {choose(settings).address}  {source.described}")


@click.command("deploy")
@_TOKENS
def deploy_escrow(tokens: tuple[str, ...]) -> None:
    """Put a new escrow on the chain, paid by the relayer, and take it into use."""
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    _tell(deploy(settings, database, _pairs(tokens), click.echo))
    database.dispose()


@click.command("record")
@click.argument("address")
@click.option("--block", required=True, type=click.IntRange(0), help="Where it was made.")
@_TOKENS
def record_escrow(address: str, block: int, tokens: tuple[str, ...]) -> None:
    """Take the escrow at ADDRESS into use; also adds coins to the one in use."""
    configure_logging()
    settings = load_settings()
    database = Database(settings.required_database_url)
    _tell(record_deployed(settings, database, address, block, _pairs(tokens)))
    database.dispose()


def _tell(deployment: Deployment) -> None:
    click.echo(
        f"In use on chain {deployment.chain_id}: escrow {deployment.escrow}, "
        f"made in block {deployment.block}; its code is the packaged one."
    )
    for asset, address in deployment.tokens.items():
        click.echo(f"  {asset}: {address}")


def _pairs(tokens: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(token.partition("=")[::2] for token in tokens)
    for asset, address in pairs.items():
        if not asset or not address:
            raise InvalidInput("--token must be ASSET=ADDRESS.", field="token", value=asset)
    return pairs


def _password(file: Path | None) -> str:
    if file is not None:
        return read_password(file, "--password-file")
    asked = click.prompt("Password", hide_input=True, confirmation_prompt=True, type=str)
    return str(asked)


def _key_in(file: Path) -> str:
    return read_password(file, "--key-file")


commands.update(key=key, deploy=deploy_escrow, record=record_escrow)
