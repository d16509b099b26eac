"""What every bench can be told on the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from portal.bench.load import Plan


@dataclass(frozen=True)
class Options:
    """How much, how long, and where."""

    rates: tuple[float, ...]
    seconds: float
    warmup: float
    connections: int
    per_frame: int
    tuning: dict[str, str]
    directory: Path | None
    profile: bool
    leave_kernel: bool

    def plan(self, workload: str, rate: float, **options: Any) -> Plan:
        """A load of `rate` commands a second; address and token come later."""
        return Plan(
            port=0,
            token="",
            workload=workload,
            rate=rate,
            seconds=self.seconds,
            warmup=self.warmup,
            connections=self.connections,
            per_frame=self.per_frame,
            options=options,
        )


def _pairs(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    pairs = [text.partition("=") for text in value]
    if any(not sign for _, sign, _ in pairs):
        raise click.BadParameter("write it as name=value, for example wal_compression=lz4")
    return {name: what for name, _, what in pairs}


def with_options(
    rate: float, seconds: float = 60.0, warmup: float = 3.0, connections: int = 4
) -> Callable[[Any], Any]:
    """The options of a bench that puts load on an engine; they arrive as one `Options`."""

    def decorate(command: Callable[..., Any]) -> Any:
        def call(**given: Any) -> Any:
            names = ("seconds", "warmup", "connections", "per_frame", "profile", "leave_kernel")
            taken = {name: given.pop(name) for name in names}
            options = Options(
                rates=given.pop("rate") or (rate,),
                tuning=given.pop("postgres"),
                directory=given.pop("directory"),
                **taken,
            )
            return command(options=options, **given)

        call.__name__, call.__doc__ = command.__name__, command.__doc__
        call.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        for option in reversed(_declared(rate, seconds, warmup, connections)):
            call = option(call)
        return call

    return decorate


def _declared(
    rate: float, seconds: float, warmup: float, connections: int
) -> list[Callable[[Any], Any]]:
    number = click.FloatRange(min=0, min_open=True)
    return [
        click.option(
            "--rate",
            type=number,
            multiple=True,
            help=f"Offered load a second ({rate:g}); several: one result each.",
        ),
        click.option("--seconds", type=number, default=seconds, show_default=True),
        click.option(
            "--warmup",
            type=click.FloatRange(min=0),
            default=warmup,
            show_default=True,
            help="Seconds at the same rate before that are not counted.",
        ),
        click.option(
            "--connections", type=click.IntRange(1, 2_000), default=connections, show_default=True
        ),
        click.option(
            "--per-frame",
            type=click.IntRange(1, 100),
            default=1,
            show_default=True,
            help="Commands in one message to the engine.",
        ),
        click.option(
            "--postgres", multiple=True, callback=_pairs, help="A server setting, name=value."
        ),
        click.option(
            "--dir",
            "directory",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where the database lies while it is needed: on a disk (VAR_DIR/bench).",
        ),
        click.option(
            "--leave-kernel",
            is_flag=True,
            help="Leave Linux' write-back as it is (else it is set evenly, and set back).",
        ),
        click.option("--profile", is_flag=True, help="Show where the engine's time goes."),
    ]
