"""Who lives in the demo. Their passwords and secrets are public: no production has them."""

import base64
import hashlib
from dataclasses import dataclass

PASSWORD = "correct-horse-demo"  # noqa: S105


@dataclass(frozen=True)
class Person:
    """A demo person with everything needed to log in as them.

    Traders have a country and an IBAN (published examples that belong to nobody). `wallet_key`
    is set for those whose device is a program.
    """

    email: str
    first_name: str
    last_name: str
    role: str
    country: str = "DE"
    iban: str | None = None
    wallet_key: str | None = None
    password: str = PASSWORD

    @property
    def nickname(self) -> str:
        """The part of the address before the @."""
        return self.email.split("@", maxsplit=1)[0]

    @property
    def totp_secret(self) -> str:
        """A fixed secret of 160 bits, so that an authenticator app survives a reset."""
        return base64.b32encode(_digest("totp", self.email)[:20]).decode()

    @property
    def is_trader(self) -> bool:
        """Trades; has no place in the back office."""
        return self.role == "Trader"


def people() -> list[Person]:
    """Everybody, traders first."""
    return [
        Person("alice@demo.test", "Alice", "Seller", "Trader", "DE", "DE89370400440532013000"),
        Person("bob@demo.test", "Bob", "Buyer", "Trader", "NL", "NL91ABNA0417164300"),
        robot_seller(),
        robot_buyer(),
        Person("admin@demo.test", "Ada", "Admin", "Admin"),
        Person("operator@demo.test", "Otto", "Operator", "Operator"),
        Person("compliance@demo.test", "Cora", "Compliance", "Compliance"),
        Person("arbiter@demo.test", "Arno", "Arbiter", "Arbiter"),
        Person("support@demo.test", "Susi", "Support", "Support"),
        Person("auditor@demo.test", "Aude", "Auditor", "Auditor"),
    ]


def robot_seller() -> Person:
    """Sells in `portal demo trade`."""
    email = "carol@demo.test"
    key = _key(email)
    return Person(email, "Carol", "Robot", "Trader", "FR", "FR1420041010050500013M02606", key)


def robot_buyer() -> Person:
    """Buys in `portal demo trade`."""
    email = "dave@demo.test"
    return Person(email, "Dave", "Robot", "Trader", "AT", "AT611904300234573201", _key(email))


def _key(email: str) -> str:
    return "0x" + _digest("wallet", email).hex()


def _digest(purpose: str, email: str) -> bytes:
    return hashlib.sha256(f"otc-portal demo {purpose} {email}".encode()).digest()
