"""Pins: the files of a plugin's package are those that the operator looked at."""

import base64
import hashlib
from importlib.metadata import Distribution, PackagePath
from pathlib import Path


class FilesDiffer(Exception):
    """A package's files can't be vouched for; the message says why."""


def files_hash(dist: Distribution) -> str:
    """SHA-256 (hex) over a package's list of files with their hashes, its RECORD.

    Every file is held against that list. Raises FilesDiffer for one that was changed or is gone,
    and for a package without a list, as one installed from its sources in place is.
    """
    files = [file for file in dist.files or [] if file.hash is not None]
    if not files or dist.read_text("RECORD") is None:
        raise FilesDiffer("it is not installed from a wheel, so its files can't be vouched for")
    lines = sorted(f"{file.as_posix()},{_checked(file)}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _checked(file: PackagePath) -> str:
    """The hash of a file as the list has it, which must be that of the file."""
    assert file.hash is not None
    try:
        content = Path(file.locate()).read_bytes()
    except OSError:
        raise FilesDiffer(f"its file {file} is gone") from None
    digest = hashlib.new(file.hash.mode, content).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
        raise FilesDiffer(f"its file {file} was changed since it was installed")
    return f"{file.hash.mode}={file.hash.value}"
