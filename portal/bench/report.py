"""The report of `portal bench stress`: one HTML file that needs no network."""

import math
from datetime import UTC, datetime
from html import escape
from typing import Any

from portal.bench.load import Report

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 960, 320, 64, 28, 12
LINES = (("max", "slowest"), ("p999", "99.9 %"), ("p99", "99 %"), ("p50", "median"))
_SECOND_MS = 1_000
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --line: #d9dee5; --page: #fff;
  --p50: #0a7d5a; --p99: #1f5fd0; --p999: #8a4fd0; --max: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #9aa4b2; --line: #333b46;
  --page: #14181d; --p50: #4fd1a5; --p99: #7aa8ff; --p999: #c49bff; --max: #ff9a6b; } }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 62rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { color: var(--soft); margin: .25rem 0 1rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; }
.figures div { border-top: 2px solid var(--line); padding-top: .5rem; }
.figures b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .85rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.grid { stroke: var(--line); } .p50 { stroke: var(--p50); } .p99 { stroke: var(--p99); }
.p999 { stroke: var(--p999); } .max { stroke: var(--max); stroke-opacity: .6; }
ul.key { display: flex; flex-wrap: wrap; gap: 1.25rem; list-style: none; padding: 0; margin: 0; }
ul.key i { display: inline-block; width: 1.25rem; border-top: 3px solid; margin: 0 .4rem .25rem 0; }
i.p50 { color: var(--p50); } i.p99 { color: var(--p99); } i.p999 { color: var(--p999); }
i.max { color: var(--max); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left;
  border-bottom: 1px solid var(--line); padding: .35rem .5rem .35rem 0; font-weight: normal; }
td { font-variant-numeric: tabular-nums; text-align: right; } th { color: var(--soft); }
.problem { color: var(--max); }
"""


def page(runs: list[tuple[dict[str, Any], Report]]) -> str:
    """The whole document: figures, chart and counts of each run."""
    parts = "".join(_run(result, report) for result, report in runs)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Stress run</title><style>{_STYLE}</style></head><body>"
        f"<h1>Stress run</h1><p>{now}. Every latency counts from the moment the command was due, "
        f"to its durable answer.</p>{parts}</body></html>\n"
    )


def _run(result: dict[str, Any], report: Report) -> str:
    ack = result["ack_ms"]
    figures = (
        (f"{result['achieved_per_s']:,}", f"orders a second, of {result['offered_per_s']:,}"),
        (f"{result['commands_per_s']:,}", "commands a second in all"),
        (f"{ack['p50'] or 0:.1f} ms", "median"),
        (f"{ack['p99'] or 0:.1f} ms", "99 % within"),
        (f"{ack['max'] or 0:.0f} ms", "slowest"),
        (f"{result['memory_mb']:,.0f} MB", "engine's memory"),
    )
    boxes = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for value, name in figures)
    key = "".join(f'<li><i class="{name}"></i>{label}</li>' for name, label in LINES)
    problems = "".join(f'<p class="problem">{escape(text)}</p>' for text in result["problems"])
    return (
        f"<h2>{result['offered_per_s']:,} orders a second for {result['seconds']:.0f} seconds</h2>"
        f'{problems}<div class="figures">{boxes}</div>'
        f"<h2>Latency of what was due in each second</h2>{_chart(report.each_second)}"
        f'<ul class="key">{key}</ul>{_counts(result)}'
    )


def _chart(seconds: list[dict[str, float | None]]) -> str:
    """Latency over time, logarithmic: a decade is a decade wherever it lies."""
    values = [value for second in seconds for value in second.values() if value]
    if not values:
        return "<p>No command was answered.</p>"
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    across = (WIDTH - LEFT) / max(len(seconds) - 1, 1)

    def y(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def line(name: str) -> str:
        points = " ".join(
            f"{LEFT + place * across:.1f},{y(value):.1f}"
            for place, second in enumerate(seconds)
            if (value := second[name])
        )
        return f'<polyline class="{name}" points="{points}"/>'

    grid = "".join(_level(10.0**power, y(10.0**power)) for power in range(low, high + 1))
    times = "".join(
        f'<text x="{LEFT + place * across:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{place} s'
        "</text>"
        for place in range(0, len(seconds), max(1, len(seconds) // 10))
        if place
    )
    lines = "".join(line(name) for name, _ in LINES)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Latency over time">'
        f"{grid}{times}{lines}</svg>"
    )


def _level(value: float, y: float) -> str:
    label = f"{value:g} ms" if value < _SECOND_MS else f"{value / _SECOND_MS:g} s"
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _counts(result: dict[str, Any]) -> str:
    rows = {
        "commands": result["commands"],
        **{f"sent: {kind}": count for kind, count in result["sent"].items()},
        **{f"refused: {code}": count for code, count in result["refused"].items()},
        "unanswered": result["unanswered"],
        "trades still on their way": result["trades_waiting"],
        **{f"cores: {name}": share for name, share in result["busy_cores"].items()},
    }
    lines = "".join(f"<tr><th>{escape(k)}</th><td>{v:,}</td></tr>" for k, v in rows.items())
    return f"<h2>What was sent, and what came of it</h2><table>{lines}</table>"
