"""Which ports we are about to listen on, and whether they are ours to take."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Port:
    """A port to listen on, and the name of the setting that chooses it."""

    setting: str
    number: int
    host: str = "127.0.0.1"


def _taken(port: Port) -> bool:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As every server does: connections of an earlier run that linger don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
        except OSError:
            return True
    return False


def port_problems(ports: list[Port]) -> list[str]:
    """One sentence for each port that can't be used, naming the port and its setting."""
    problems = []
    seen: dict[int, str] = {}
    for port in ports:
        if port.number in seen:
            problems.append(
                f"{seen[port.number]} and {port.setting} are both {port.number}. "
                f"Set {port.setting} to another port."
            )
        elif _taken(port):
            problems.append(
                f"Port {port.number} is taken by another program. "
                f"Set {port.setting} to a free port."
            )
        seen.setdefault(port.number, port.setting)
    return problems
