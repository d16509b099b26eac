"""Typed settings from the environment (and `.env`), the same names without a prefix.

Every process reads them once at its start. `production_problems` is why an unsafe production
does not start.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from portal.core.key_source import DEV_ARBITER_KEY, DEV_RELAYER_KEY, KeySource, key_problems

DEMO_SECRET = "demo-only-secret-not-for-production"  # noqa: S105
DEV_CHAIN_ID = 31337
SECRETS = ("secret_key", "master_key", "engine_token")
SHORTEST_SECRET = 32
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """All settings. A field's description is its documentation."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    portal_env: Literal["demo", "production"] = Field("demo", description="demo or production")
    portal_name: str = Field("OTC Portal", description="Name shown on every screen")
    debug: bool = Field(False, description="Flask debug mode; never in production")
    var_dir: Path = Field(Path("var"), description="Where the embedded parts keep their data")

    secret_key: SecretStr = Field(SecretStr(DEMO_SECRET), description="Signs sessions")
    master_key: SecretStr = Field(SecretStr(DEMO_SECRET), description="Seals sensitive fields")
    engine_token: SecretStr = Field(
        SecretStr(DEMO_SECRET), description="Shared by the engine and its clients"
    )
    audit_key_file: Path | None = Field(
        None,
        description="Ed25519 key (PEM) that signs checkpoints of the audit log; empty = one that "
        "follows from MASTER_KEY",
    )
    audit_former_keys: str | None = Field(
        None,
        description="Keys that signed checkpoints before, as `portal audit key` showed them, "
        "comma separated",
    )

    database_url: str | None = Field(None, description="PostgreSQL; empty = embedded one")
    bind_host: str = Field("127.0.0.1", description="Address the web and stream roles listen on")
    public_url: str | None = Field(None, description="Address people type; https in production")
    web_port: PortNumber = Field(8080, description="Port of back office, H5 client and API")
    stream_port: PortNumber = Field(8081, description="Port of the live updates")
    stream_url: str | None = Field(None, description="Public ws(s):// address of live updates")
    engine_host: str = Field("127.0.0.1", description="Where the engine listens")
    engine_port: PortNumber = Field(8082, description="Port of the engine")
    engine_addresses: str | None = Field(
        None,
        pattern=r"^[^\s,]+:\d+(\s*,\s*[^\s,]+:\d+)*$",
        description="Where engines serve, host:port, comma separated; empty = the one above",
    )
    engine_sync_standbys: int = Field(
        0,
        ge=0,
        description="Standby servers of PostgreSQL that must have a batch on disk before its "
        "commands are acknowledged; with fewer the engine writes nothing",
    )
    postgres_port: PortNumber = Field(8083, description="Port of the embedded PostgreSQL")
    chain_port: PortNumber = Field(8084, description="Port of the local chain")
    replay_port: PortNumber = Field(8085, description="Port of the price replay server (demo)")
    trusted_proxies: int = Field(
        0,
        ge=0,
        description="Reverse proxies in front of the web role whose X-Forwarded-For is believed",
    )
    web_threads: Positive = Field(16, description="Worker threads of a web process")

    chain_rpc_urls: str | None = Field(None, description="RPC endpoints, comma separated")
    chain_id: Positive = Field(
        DEV_CHAIN_ID, description="EIP-155 number of the chain; signatures are bound to it"
    )
    chain_confirmations: Positive = Field(
        1, description="Blocks until a transaction counts; more than 1 in production"
    )
    chain_max_fee_gwei: int = Field(
        200, ge=1, le=1_000_000, description="The most a unit of gas may cost, in gwei"
    )
    chain_replace_seconds: Seconds = Field(
        60.0, description="A transaction not mined by then is replaced; half of it for urgent ones"
    )
    chain_stuck_seconds: Seconds = Field(
        900.0, description="A transaction under way for longer raises an alarm"
    )
    chain_check_seconds: Seconds = Field(
        12.0, description="How often what was mined is looked at until it is final"
    )
    chain_gas_budget_gwei: int = Field(
        250_000_000,
        ge=0,
        le=10**18,
        description="Gas paid in a UTC day above which an alarm is raised, in gwei; 0 = none",
    )
    chain_quorum: Positive | None = Field(
        None,
        description="Endpoints that must give the same answer before it counts; empty = more than "
        "half of three or more, else one",
    )
    chain_max_lag_blocks: Positive = Field(
        5, description="An endpoint further behind the others is not asked until it catches up"
    )
    chain_finality: Literal["confirmations", "finalized"] = Field(
        "confirmations",
        description="When deposits, openings and payouts count: after CHAIN_CONFIRMATIONS blocks, "
        "or only once the chain calls their block finalized",
    )
    relayer_key: SecretStr = Field(
        SecretStr(DEV_RELAYER_KEY), description="Pays gas; a key in clear is for a demo only"
    )
    relayer_keystore: Path | None = Field(
        None, description="Encrypted keystore (V3 JSON) of the relayer's key, instead of it"
    )
    relayer_password_file: Path | None = Field(None, description="Holds that keystore's password")
    relayer_password: SecretStr | None = Field(
        None, description="That keystore's password, where no file holds it"
    )
    relayer_signer_url: str | None = Field(
        None, description="A Web3Signer that keeps the relayer's key, instead of a keystore"
    )
    relayer_address: str | None = Field(
        None, description="The relayer's address; a remote signer needs it, a keystore must fit it"
    )
    arbiter_key: SecretStr = Field(
        SecretStr(DEV_ARBITER_KEY), description="Signs decisions; in clear for a demo only"
    )
    arbiter_keystore: Path | None = Field(
        None, description="Encrypted keystore (V3 JSON) of the arbiter's key, instead of it"
    )
    arbiter_password_file: Path | None = Field(None, description="Holds that keystore's password")
    arbiter_password: SecretStr | None = Field(
        None, description="That keystore's password, where no file holds it"
    )
    arbiter_signer_url: str | None = Field(
        None, description="A Web3Signer that keeps the arbiter's key, instead of a keystore"
    )
    arbiter_address: str | None = Field(
        None, description="The arbiter's address; a remote signer needs it, a keystore must fit it"
    )
    signer_timeout_seconds: Seconds = Field(
        5.0, description="How long a remote signer may take for one signature"
    )
    reconcile_seconds: Seconds = Field(
        300.0, description="How often ledger and chain are compared; a difference stops payouts"
    )
    chain_snapshot_keep_days: Positive = Field(
        90, description="Days that chain snapshots are kept; the newest always is"
    )
    fee_address: str | None = Field(
        None, description="Gets the platform's fees on chain; empty = the relayer's address"
    )
    backup_arbiter_address: str | None = Field(
        None,
        description="Decides disputes in the arbiter's place after ESCROW_RESOLVE_DAYS; somebody "
        "outside the platform is best; empty = the arbiter's own address",
    )
    escrow_grace_seconds: int = Field(
        3600, description="How long after the payment window the chain still accepts 'paid'"
    )
    escrow_resolve_days: int = Field(
        90, ge=1, le=340, description="Days after the payment window in which our arbiter decides"
    )
    escrow_sunset_days: int = Field(
        90,
        ge=1,
        le=340,
        description="Days after those in which the backup arbiter decides; then anybody may "
        "trigger the agreed split of a trade that was marked paid",
    )
    escrow_sunset_buyer_bps: int = Field(
        5000, ge=5000, le=10000, description="The buyer's part of that split"
    )

    demo_prices: Literal["recorded", "live"] = Field(
        "recorded", description="What `portal run` feeds a demo with: recordings or real exchanges"
    )
    price_replay_url: str | None = Field(None, description="Redirects feeds (demo, tests)")
    price_sweep_seconds: Seconds = Field(5.0, description="How often prices are fetched")
    price_staleness_seconds: Positive = Field(60, description="Older tickers are not used")
    price_outlier_bps: int = Field(200, description="Sources further from the median are cut")
    price_min_sources: Positive = Field(2, description="Fresh sources needed for a quote")
    sweep_seconds: Seconds = Field(1.0, description="How often clearing, escrow and timers run")

    plugins_allowed: str = Field(
        "sepa,maker_taker,regional_rules",
        description="Entry points that may be loaded; name@sha256:… also pins its package's files",
    )
    plugins_safe_mode: bool = Field(
        False, description="Load the bundled plugins alone, whatever is allowed"
    )
    screening_threshold: int = Field(
        88,
        ge=50,
        le=100,
        description="From which likeness on (50 to 100) a name on a sanctions list holds a trade",
    )
    session_hours: Positive = Field(12, description="Life of a trader's session")
    ratelimit_storage_uri: str = Field(
        "memory://", description="Where request counts are kept; shared by all web processes"
    )
    rate_limit_per_minute: Positive = Field(600, description="API requests a minute per person")
    rate_limit_auth_per_minute: Positive = Field(
        60, description="Log-ins and sign-ups a minute per address"
    )
    gateway_host: str = Field("127.0.0.1", description="Where the gateway for machines listens")
    gateway_port: PortNumber = Field(8086, description="Port of the gateway for machines")
    gateway_in_flight: Positive = Field(
        8_000, description="Orders that a gateway has before the engine at once; more get 429"
    )
    gateway_key_in_flight: Positive = Field(2_000, description="The same for one API key")
    gateway_key_open_orders: Positive = Field(
        1_000, description="Open orders of an API key that names no bound of its own"
    )
    signature_window_ms: Positive = Field(
        5_000, description="How far a signed request's time may be from the portal's clock"
    )
    h5_dist: Path = Field(Path("h5_client/dist"), description="The built H5 client")

    @property
    def is_demo(self) -> bool:
        """Demo data, demo keys and the faucet are allowed."""
        return self.portal_env == "demo"

    @property
    def required_database_url(self) -> str:
        """The database URL: as set, or that of the server that `portal run` starts."""
        if self.database_url:
            return self.database_url
        try:
            password = self.postgres_password_file.read_text().strip()
        except FileNotFoundError:
            password = ""
        return f"postgresql://portal:{password}@127.0.0.1:{self.postgres_port}/portal"

    @property
    def postgres_password_file(self) -> Path:
        """Where `portal run` keeps the password that it made for its own PostgreSQL."""
        return self.var_dir / "postgres.password"

    @cached_property
    def engine_targets(self) -> list[tuple[str, int]]:
        """Where clients look for the engine that leads, in this order."""
        if not self.engine_addresses:
            return [(self.engine_host, self.engine_port)]
        pairs = [text.strip().rpartition(":") for text in self.engine_addresses.split(",")]
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]

    @cached_property
    def rpc_urls(self) -> list[str]:
        """RPC endpoints: as set, or the local chain."""
        if self.chain_rpc_urls:
            return [url.strip() for url in self.chain_rpc_urls.split(",") if url.strip()]
        return [f"http://127.0.0.1:{self.chain_port}"]

    @property
    def relayer_source(self) -> KeySource:
        """Where the key that pays gas comes from."""
        return KeySource(
            "RELAYER",
            key=self.relayer_key,
            keystore=self.relayer_keystore,
            password=self.relayer_password,
            password_file=self.relayer_password_file,
            signer_url=self.relayer_signer_url,
            address=self.relayer_address,
        )

    @property
    def arbiter_source(self) -> KeySource:
        """Where the key that signs decisions comes from."""
        return KeySource(
            "ARBITER",
            key=self.arbiter_key,
            keystore=self.arbiter_keystore,
            password=self.arbiter_password,
            password_file=self.arbiter_password_file,
            signer_url=self.arbiter_signer_url,
            address=self.arbiter_address,
        )

    @property
    def base_url(self) -> str:
        """The address people type."""
        return self.public_url or f"http://127.0.0.1:{self.web_port}"

    @property
    def stream_address(self) -> str:
        """Where the H5 client opens its live connection."""
        return self.stream_url or f"ws://127.0.0.1:{self.stream_port}/"

    def production_problems(self) -> list[str]:
        """Why this configuration must not serve real money; empty when it may."""
        return [*self._secret_problems(), *self._exposure_problems(), *self._demo_problems()]

    def _secret_problems(self) -> list[str]:
        problems = []
        values = {name: getattr(self, name).get_secret_value() for name in SECRETS}
        for name, value in values.items():
            if value == DEMO_SECRET:
                problems.append(f"{name.upper()} is the demo secret: set one of your own.")
            elif len(value) < SHORTEST_SECRET:
                problems.append(
                    f"{name.upper()} has {len(value)} characters: "
                    f"use {SHORTEST_SECRET} or more, e.g. from `openssl rand -base64 32`."
                )
        if len(set(values.values())) < len(values) and not problems:
            problems.append("SECRET_KEY, MASTER_KEY and ENGINE_TOKEN must all differ.")
        problems += key_problems(self.relayer_source, self.arbiter_source)
        return problems

    def _exposure_problems(self) -> list[str]:
        problems = []
        if self.debug:
            problems.append("DEBUG is on: it shows code and data to strangers.")
        if not self.base_url.startswith("https://"):
            problems.append("PUBLIC_URL is not https: cookies would travel in clear.")
        if not self.stream_address.startswith("wss://"):
            problems.append("STREAM_URL is not wss: live updates would travel in clear.")
        if self.trusted_proxies == 0:
            problems.append(
                "TRUSTED_PROXIES is 0: everybody would have the address of the proxy in front, "
                "and one stranger could use up the log-ins of all."
            )
        return problems

    def _demo_problems(self) -> list[str]:
        problems = []
        if self.database_url is None:
            problems.append("DATABASE_URL is not set: the embedded database is for demos.")
        if self.chain_rpc_urls is None:
            problems.append("CHAIN_RPC_URLS is not set: the local chain is for demos.")
        if self.chain_quorum is not None and self.chain_quorum > len(self.rpc_urls):
            problems.append(
                f"CHAIN_QUORUM is {self.chain_quorum}, but CHAIN_RPC_URLS names "
                f"{len(self.rpc_urls)} endpoints: nothing would ever count."
            )
        if self.chain_confirmations == 1 and self.chain_finality == "confirmations":
            problems.append(
                "CHAIN_CONFIRMATIONS is 1: a block that the chain takes back would count as final."
            )
        if self.chain_id == DEV_CHAIN_ID:
            problems.append(f"CHAIN_ID is {DEV_CHAIN_ID}, the development chain's.")
        if self.price_replay_url:
            problems.append("PRICE_REPLAY_URL is set: prices would be recordings.")
        return problems


class BadSettings(SystemExit):
    """Settings that can't be read, or a production that must not start. Names every problem."""

    def __init__(self, heading: str, problems: list[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{heading}\n{lines}")


class UnsafeProduction(BadSettings):
    """A production configuration that must not start."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("This production configuration is not safe to start:", problems)


def read_settings() -> Settings:
    """Settings of this process, safe or not. Raises BadSettings naming what can't be read."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"{str(problem['loc'][0]).upper()} is {problem['input']!r}: {problem['msg']}."
            for problem in error.errors()
        ]
        raise BadSettings("These settings can't be used:", problems) from None


def load_settings() -> Settings:
    """Settings of this process. Raises BadSettings or UnsafeProduction naming every problem."""
    settings = read_settings()
    if not settings.is_demo and (problems := settings.production_problems()):
        raise UnsafeProduction(problems)
    if settings.is_demo and settings.bind_host not in _THIS_MACHINE:
        _refuse_an_open_demo(settings)
    return settings


def _refuse_an_open_demo(settings: Settings) -> None:
    """Forgetting PORTAL_ENV on a server must not put public secrets and free coins there."""
    if "portal_env" not in settings.model_fields_set:
        problem = (
            f"BIND_HOST is {settings.bind_host}, and PORTAL_ENV is not set. A demo has public "
            "secrets and passwords: set PORTAL_ENV=production, or PORTAL_ENV=demo if you mean it."
        )
        raise BadSettings("This demo would be open to the network:", [problem])
