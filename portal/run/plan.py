"""What `portal run` starts, read off the settings."""

import hashlib
import os
import secrets
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import portal
from portal.core.settings import Settings
from portal.run import probes
from portal.run.chain import anvil_command
from portal.run.child import Part
from portal.run.ports import Port
from portal.run.postgres import EmbeddedPostgres

DATABASE = "portal"


@dataclass(frozen=True)
class Plan:
    """The parts of one run. What is None is somebody else's, named by a setting."""

    settings: Settings
    environment: dict[str, str] = field(repr=False)
    postgres: EmbeddedPostgres | None
    local_chain: bool
    recorded_prices: bool

    @property
    def chain_directory(self) -> Path:
        """Where the local chain keeps its state."""
        return self.settings.var_dir.absolute() / "chain"

    def ports(self) -> list[Port]:
        """Every port this run is about to listen on."""
        settings = self.settings
        ports = [
            Port("WEB_PORT", settings.web_port, settings.bind_host),
            Port("STREAM_PORT", settings.stream_port, settings.bind_host),
            Port("ENGINE_PORT", settings.engine_port, settings.engine_host),
            Port("GATEWAY_PORT", settings.gateway_port, settings.gateway_host),
        ]
        if self.postgres is not None:
            ports.append(Port("POSTGRES_PORT", settings.postgres_port))
        if self.local_chain:
            ports.append(Port("CHAIN_PORT", settings.chain_port))
        if self.recorded_prices:
            ports.append(Port("REPLAY_PORT", settings.replay_port))
        return ports

    def services(self) -> list[Part]:
        """What the roles stand on: database, chain, prices."""
        parts = []
        if self.postgres is not None:
            parts.append(_postgres_part(self.postgres))
        if self.local_chain:
            parts.append(self._chain_part())
        if self.recorded_prices:
            parts.append(self._role("replay", probes.accepts(self.settings.replay_port)))
        return parts

    def _chain_part(self) -> Part:
        port = self.settings.chain_port
        return Part(
            name="chain",
            command=anvil_command(self.chain_directory, port),
            ready=probes.answers_chain(port),
            quiet=True,
        )

    def migration(self) -> Part:
        """Bring the schema up to date."""
        return self._command("migrate", "db", "upgrade")

    def engine(self) -> Part:
        """The only writer."""
        settings = self.settings
        return self._role("engine", probes.accepts(settings.engine_port, settings.engine_host))

    def seed(self) -> Part:
        """Demo people, markets and contracts."""
        return self._command("seed", "demo", "seed")

    def doors(self) -> list[Part]:
        """What people and their programs talk to."""
        settings = self.settings
        host, gateway = _reachable(settings.bind_host), _reachable(settings.gateway_host)
        return [
            self._role("web", probes.answers_http(settings.web_port, "/healthz", host)),
            self._role("stream", probes.answers_http(settings.stream_port, "/healthz", host)),
            self._role("gateway", probes.answers_http(settings.gateway_port, "/health", gateway)),
        ]

    def scheduler(self) -> Part:
        """What happens by itself."""
        return self._role("scheduler", None)

    def prepared(self) -> bool:
        """Whether schema and demo data are as this very code left them in our own database."""
        note = self._note()
        return note is not None and note.exists() and note.read_text() == code_fingerprint()

    def note_prepared(self) -> None:
        """Remember that they are. The note lives and goes with the database's files."""
        if (note := self._note()) is not None:
            note.write_text(code_fingerprint())

    def _note(self) -> Path | None:
        return None if self.postgres is None else self.postgres.data / "portal-prepared"

    def _role(self, name: str, ready: probes.Probe | None) -> Part:
        return Part(name, _portal(name), ready=ready, environment=self.environment)

    def _command(self, name: str, *words: str) -> Part:
        return Part(name, _portal(*words), once=True, environment=self.environment)


def _reachable(host: str) -> str:
    """An address of this machine on which a server that listens on `host` answers."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104


def _portal(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "portal.cli", *words)


def _postgres_part(server: EmbeddedPostgres) -> Part:
    return Part(
        name="postgres",
        command=tuple(server.command()),
        ready=probes.threaded(server.ready),
        quiet=True,
        stop_signal=signal.SIGINT,  # Fast shutdown: don't wait for clients.
        stop_seconds=15.0,
        environment=server.environment(),
        account=server.account,
        directory=Path("/"),
    )


def make_plan(settings: Settings) -> Plan:
    """The plan for these settings; makes the database password when there is none yet."""
    postgres = None
    if settings.database_url is None:
        password = _password(settings.postgres_password_file)
        data = settings.var_dir.absolute() / "postgres"
        postgres = EmbeddedPostgres(data, settings.postgres_port, password)
    recorded = (
        settings.is_demo and settings.demo_prices == "recorded" and not settings.price_replay_url
    )
    return Plan(
        settings=settings,
        environment=_environment(settings, postgres, recorded),
        postgres=postgres,
        local_chain=settings.chain_rpc_urls is None,
        recorded_prices=recorded,
    )


def _environment(
    settings: Settings, postgres: EmbeddedPostgres | None, recorded: bool
) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["VAR_DIR"] = str(settings.var_dir.absolute())
    environment["DATABASE_URL"] = (
        postgres.url(DATABASE, role=DATABASE) if postgres else settings.required_database_url
    )
    if recorded:
        environment["PRICE_REPLAY_URL"] = f"http://127.0.0.1:{settings.replay_port}"
    return environment


def _password(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(24))
    return file.read_text().strip()


def code_fingerprint() -> str:
    """Changes whenever a file of the portal or of a bundled plugin does."""
    root = Path(portal.__file__).parents[1]
    digest = hashlib.sha256(sys.version.encode())
    for folder in ("portal", "plugins"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".json"):
                status = path.stat()
                digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def put_aside(var_dir: Path) -> Path | None:
    """Move the data of earlier runs to VAR_DIR/old/<time>; returns that, or None if none was."""
    present = [var_dir / name for name in ("postgres", "postgres.password", "chain")]
    present = [path for path in present if path.exists()]
    if not present:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    old = var_dir / "old" / stamp
    old.mkdir(parents=True)
    for path in present:
        if path.is_symlink():  # Kept elsewhere for root: move what the link points to.
            target = path.resolve()
            moved = target.rename(target.with_name(f"{target.name}-{stamp}"))
            path.unlink()
            (old / path.name).symlink_to(moved)
        else:
            path.rename(old / path.name)
    return old
