"""The portal. The engine's rules may be compiled (`portal.compiling`)."""

from pathlib import Path

from portal.compiling import choose

choose(Path(__file__).parent)
