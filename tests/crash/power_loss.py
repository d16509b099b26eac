"""What a disk holds after the power went: everything that was synced, and any part of the rest.

The synced state is a copy of the data directory from the last clean stop (no checkpoint ends
while a round runs, so no data file is synced later) and the write-ahead log up to the position
that PostgreSQL itself reported as flushed, before the power went. Of what was only written:

* data files: any sector of 4 kB may or may not have made it, so pages can be torn. A page counts
  as written only if its log position was flushed: PostgreSQL writes the log before the page, and
  the flushed position is asked for a moment before the processes are killed;
* the log behind the flushed position: any sector is as written, zeros, or rubbish.
"""

import os
import random
import struct
from pathlib import Path

_PAGE, _SECTOR = 8192, 4096
# Relations, whose pages begin with the log position of their last change.
_RELATIONS = ("base", "global")
# Written and synced at once; the first of them says that the server runs and must recover.
_ALWAYS_SYNCED = {"pg_control", "pg_filenode.map"}


def crash_image(image: Path, last: Path, flushed: int, segment: int, choose: random.Random) -> None:
    """Turn `image`, the synced state, into one the disk may hold; `last` is what was written."""
    _lay_log(image, last, flushed, segment, choose)
    for folder in _RELATIONS:
        for written in sorted((last / folder).rglob("*")):
            if written.name in _ALWAYS_SYNCED:
                _put(image / written.relative_to(last), written.read_bytes(), written)
            elif written.is_file() and written.stat().st_size % _PAGE == 0:
                _tear(image / written.relative_to(last), written, flushed, choose)


def _lay_log(image: Path, last: Path, flushed: int, segment: int, choose: random.Random) -> None:
    per_id = 0x1_0000_0000 // segment
    log = image / "pg_wal"
    for old in log.glob("?" * 24):
        old.unlink()
    for written in sorted((last / "pg_wal").glob("?" * 24)):
        number = int(written.name[8:16], 16) * per_id + int(written.name[16:24], 16)
        content = bytearray(written.read_bytes())
        _lose_tail(content, flushed - number * segment, choose)
        _put(log / written.name, bytes(content), written)


def _lose_tail(content: bytearray, safe: int, choose: random.Random) -> None:
    """Whatever lies behind the first `safe` bytes may not be what was written."""
    start = min(max(safe, 0), len(content))
    while start < len(content):
        end = min(len(content), start - start % _SECTOR + _SECTOR)
        fate = choose.random()
        if fate < 0.5:
            content[start:end] = bytes(end - start)
        elif fate < 0.6:
            content[start:end] = choose.randbytes(end - start)
        start = end


def _tear(target: Path, written: Path, flushed: int, choose: random.Random) -> None:
    """Mix the sectors of the last written file into the synced one."""
    if not target.exists() and choose.random() < 0.5:
        return
    old = target.read_bytes() if target.exists() else b""
    new = written.read_bytes()
    mixed = bytearray(old)
    for start in range(0, len(new), _PAGE):
        page = new[start : start + _PAGE]
        high, low = struct.unpack_from("<II", page)
        if (high << 32 | low) > flushed or page == old[start : start + _PAGE]:
            continue
        if len(mixed) < start + _PAGE:
            mixed += bytes(start + _PAGE - len(mixed))
        for sector in range(start, start + _PAGE, _SECTOR):
            if choose.random() < 0.5:
                mixed[sector : sector + _SECTOR] = new[sector : sector + _SECTOR]
    _put(target, bytes(mixed), written)


def _put(target: Path, content: bytes, like: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    status = like.stat()
    target.chmod(status.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(target, status.st_uid, status.st_gid)
