"""`portal plugins new`: a whole package of a plugin, whose tests pass as it is."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from portal.core.errors import Conflict, InvalidInput
from portal.plugin_api import API_VERSION

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_TAKEN = ("portal", "plugins", "tests")


@dataclass(frozen=True)
class Kind:
    """A kind of plugin: its words, its hook, and the module that its class is in."""

    words: str
    hook: str
    module: str


KINDS = {
    "gateway": Kind("payment gateway", "register_payment_gateway", "gateway"),
    "fee-model": Kind("fee model", "register_fee_model", "model"),
    "compliance": Kind("set of compliance rules", "register_compliance_rules", "rules"),
}


def make(kind: str, name: str, into: Path) -> list[Path]:
    """Write the package into a new directory `into/NAME`; returns its files.

    Raises InvalidInput for a name that is none, Conflict when the directory is there.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InvalidInput(
            f"{name!r} can't be the name of a plugin.",
            field="name",
            value=name,
            hint="2 to 40 of a-z, 0-9 and _, a letter first, like acme_pay.",
        )
    place = into / name
    if place.exists():
        raise Conflict(f"{place} is there already.", field="name", value=name)
    written = []
    for target, text in _texts(KINDS[kind], kind, name).items():
        file = place / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        written.append(file)
    return written


def _texts(kind: Kind, folder: str, name: str) -> dict[str, str]:
    words = name.split("_")
    values = {
        "api": API_VERSION,
        "cls": "".join(word.capitalize() for word in words),
        "distribution": name.replace("_", "-"),
        "hook": kind.hook,
        "kind_words": kind.words,
        "label": " ".join(words).capitalize(),
        "name": name,
    }
    places = {
        "setup.cfg": "common/setup.cfg",
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        ".gitignore": "common/gitignore",
        ".github/workflows/test.yml": "common/test.yml",
        f"{name}/__init__.py": "common/init.py",
        f"{name}/plugin.py": f"{folder}/plugin.py",
        f"{name}/{kind.module}.py": f"{folder}/{kind.module}.py",
        f"tests/test_{name}.py": f"{folder}/test.py",
    }
    templates = files("portal.plugin_kit") / "templates"
    return {
        target: Template((templates / f"{source}.tmpl").read_text()).substitute(values)
        for target, source in places.items()
    }
