"""Where a key of the platform comes from: settings in clear, a keystore, or a remote signer.

A source only names the place; `portal.escrow.signers` opens it.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from portal.core.addresses import public_part

# The first two of the well-known development keys that every anvil and hardhat node prints.
DEV_RELAYER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
DEV_ARBITER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
# The ten keys of the phrase "test test test … junk", as every development node prints them.
DEV_KEYS = frozenset(
    {
        DEV_RELAYER_KEY.removeprefix("0x"),
        DEV_ARBITER_KEY.removeprefix("0x"),
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
        "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
        "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
        "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
        "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
        "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
    }
)


@dataclass(frozen=True)
class KeySource:
    """The settings of one key. `role` is the beginning of their names: RELAYER or ARBITER.

    A keystore or a remote signer goes before the key in clear.
    """

    role: str
    key: SecretStr
    keystore: Path | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    signer_url: str | None = None
    address: str | None = None

    @property
    def in_clear(self) -> bool:
        """Neither a keystore nor a remote signer is named."""
        return self.keystore is None and not self.signer_url

    @property
    def plain(self) -> str:
        """The key in clear as lower-case hexadecimal digits."""
        return self.key.get_secret_value().lower().removeprefix("0x")

    @property
    def described(self) -> str:
        """Where the key is, in words that hold no secret."""
        if self.signer_url:
            return f"in the signer at {public_part(self.signer_url)}"
        return f"in the keystore {self.keystore}" if self.keystore else "in clear, in the settings"

    def problems(self) -> list[str]:
        """What about the settings can't be right, wherever they are used."""
        role, problems = self.role, []
        if self.keystore and self.signer_url:
            problems.append(f"{role}_KEYSTORE and {role}_SIGNER_URL are both set: name one.")
        elif self.keystore and self.password is None and self.password_file is None:
            problems.append(f"{role}_KEYSTORE needs {role}_PASSWORD_FILE or {role}_PASSWORD.")
        elif self.signer_url and not self.address:
            problems.append(f"{role}_SIGNER_URL needs {role}_ADDRESS, the address it signs for.")
        return problems

    def clear_problems(self) -> list[str]:
        """Why a key in clear must not hold real money; empty when there is none."""
        if not self.in_clear:
            return []
        if self.plain in DEV_KEYS:
            why = "is a public development key"
        else:
            why = "is in clear, where every copy of the settings holds it"
        way_out = f"set {self.role}_KEYSTORE (`portal escrow key new`) or {self.role}_SIGNER_URL"
        return [f"{self.role}_KEY {why}: {way_out}."]


def key_problems(relayer: KeySource, arbiter: KeySource) -> list[str]:
    """Why these sources must not serve real money; empty when they may. Opens no file."""
    problems = [
        problem
        for source in (relayer, arbiter)
        for problem in (*source.problems(), *source.clear_problems())
    ]
    if _same_key(relayer, arbiter):
        problems.append("Relayer and arbiter have the same key: one decides, one only pays.")
    return problems


def _same_key(one: KeySource, other: KeySource) -> bool:
    if one.in_clear or other.in_clear:
        return one.in_clear and other.in_clear and one.plain == other.plain
    if one.address and other.address:
        return one.address.lower() == other.address.lower()
    return one.keystore is not None and one.keystore == other.keystore
