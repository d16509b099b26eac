"""Typed settings from the environment (and `.env`), the same names without a prefix.

Every process reads them once at its start. `production_problems` is why an unsafe production
does not start.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEMO_SECRET = "demo-only-secret-not-for-production"  # noqa: S105
# The first two of the well-known development keys that every anvil and hardhat node prints.
DEV_RELAYER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
DEV_ARBITER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
DEV_CHAIN_ID = 31337


class Settings(BaseSettings):
    """All settings. A field's description is its documentation."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    portal_env: Literal["demo", "production"] = Field("demo", description="demo or production")
    portal_name: str = Field("OTC Portal", description="Name shown on every screen")
    debug: bool = Field(False, description="Flask debug mode; never in production")
    var_dir: Path = Field(Path("var"), description="Where the embedded parts keep their data")

    secret_key: SecretStr = Field(SecretStr(DEMO_SECRET), description="Signs sessions")
    master_key: SecretStr = Field(SecretStr(DEMO_SECRET), description="Seals sensitive fields")
    engine_token: SecretStr = Field(
        SecretStr(DEMO_SECRET), description="Shared by the engine and its clients"
    )

    database_url: str | None = Field(None, description="PostgreSQL; empty = embedded one")
    bind_host: str = Field("127.0.0.1", description="Address the web and stream roles listen on")
    public_url: str | None = Field(None, description="Address people type; https in production")
    web_port: int = Field(8080, description="Port of the portal (back office, H5 client, API)")
    stream_port: int = Field(8081, description="Port of the live updates")
    stream_url: str | None = Field(None, description="Public ws(s):// address of live updates")
    engine_host: str = Field("127.0.0.1", description="Where the engine listens")
    engine_port: int = Field(8082, description="Port of the engine")
    postgres_port: int = Field(8083, description="Port of the embedded PostgreSQL")
    chain_port: int = Field(8084, description="Port of the local chain")
    replay_port: int = Field(8085, description="Port of the price replay server (demo)")
    web_threads: int = Field(16, description="Worker threads of a web process")

    chain_rpc_urls: str | None = Field(None, description="RPC endpoints, comma separated")
    chain_confirmations: int = Field(1, description="Blocks until a transaction counts")
    relayer_key: SecretStr = Field(SecretStr(DEV_RELAYER_KEY), description="Pays gas")
    arbiter_key: SecretStr = Field(SecretStr(DEV_ARBITER_KEY), description="Signs decisions")
    escrow_grace_seconds: int = Field(
        3600, description="How long after the payment window the chain still accepts 'paid'"
    )

    price_replay_url: str | None = Field(None, description="Redirects feeds (demo, tests)")
    price_sweep_seconds: float = Field(5.0, description="How often prices are fetched")
    price_staleness_seconds: int = Field(60, description="Older tickers are not used")
    price_outlier_bps: int = Field(200, description="Sources further from the median are cut")
    price_min_sources: int = Field(2, description="Fresh sources needed for a quote")
    sweep_seconds: float = Field(1.0, description="How often clearing, escrow and timers run")

    plugins_allowed: str = Field(
        "sepa,maker_taker,regional_rules", description="Entry points that may be loaded"
    )
    session_hours: int = Field(12, description="Life of a trader's session")
    h5_dist: Path = Field(Path("h5_client/dist"), description="The built H5 client")

    @property
    def is_demo(self) -> bool:
        """Demo data, demo keys and the faucet are allowed."""
        return self.portal_env == "demo"

    @property
    def required_database_url(self) -> str:
        """The database URL: as set, or that of the embedded server."""
        return self.database_url or (f"postgresql://postgres@127.0.0.1:{self.postgres_port}/portal")

    @cached_property
    def rpc_urls(self) -> list[str]:
        """RPC endpoints: as set, or the local chain."""
        if self.chain_rpc_urls:
            return [url.strip() for url in self.chain_rpc_urls.split(",") if url.strip()]
        return [f"http://127.0.0.1:{self.chain_port}"]

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
        problems = []
        for name in ("secret_key", "master_key", "engine_token"):
            if getattr(self, name).get_secret_value() == DEMO_SECRET:
                problems.append(f"{name.upper()} is the demo secret: set one of your own.")
        if self.debug:
            problems.append("DEBUG is on: it shows code and data to strangers.")
        if not self.base_url.startswith("https://"):
            problems.append("PUBLIC_URL is not https: cookies would travel in clear.")
        if self.database_url is None:
            problems.append("DATABASE_URL is not set: the embedded database is for demos.")
        if self.chain_rpc_urls is None:
            problems.append("CHAIN_RPC_URLS is not set: the local chain is for demos.")
        for name, dev in (("relayer_key", DEV_RELAYER_KEY), ("arbiter_key", DEV_ARBITER_KEY)):
            if getattr(self, name).get_secret_value().lower() == dev:
                problems.append(f"{name.upper()} is a public development key.")
        if self.price_replay_url:
            problems.append("PRICE_REPLAY_URL is set: prices would be recordings.")
        return problems


class UnsafeProduction(SystemExit):
    """A production configuration that must not start."""

    def __init__(self, problems: list[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"This production configuration is not safe to start:\n{lines}")


def load_settings() -> Settings:
    """Settings of this process. Raises UnsafeProduction naming every problem."""
    settings = Settings()
    if not settings.is_demo and (problems := settings.production_problems()):
        raise UnsafeProduction(problems)
    return settings
