"""Bar charts of the figures, as SVG that follows the reader's choice of light or dark."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.figures import FIGURES, Figure, Results

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 640, 22, 8, 130, 90, 46
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.better { fill: #59636e; font-size: 12px; }
.bar { fill: #afb8c1; }
.first { fill: #0969da; }
.mark { stroke: #bc4c00; stroke-dasharray: 4 3; }
.axis { stroke: #d1d9e0; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .better { fill: #9198a1; } .bar { fill: #6e7681; } .first { fill: #4493f8; }
  .mark { stroke: #f0883e; } .axis { stroke: #3d444d; }
}
"""


def write(results: Results, rate: int, directory: Path) -> None:
    """One file a figure, named after it."""
    directory.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        medians = [(name, figure.median(rounds)) for name, rounds in results.items()]
        bars = [(name, value) for name, value in medians if value is not None]
        if bars:
            label = figure.label.format(rate=rate)
            name = "".join(c if c.isalnum() else "-" for c in label.lower()).strip("-")
            while "--" in name:
                name = name.replace("--", "-")
            (directory / f"{name}.svg").write_text(chart(figure, label, bars))


def chart(figure: Figure, label: str, bars: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars; the first server stands out."""
    most = max(value for _, value in bars) or 1
    height = TOP + len(bars) * (BAR + GAP) + GAP
    said = ", ".join(f"{name} {value:,.{figure.digits}f}" for name, value in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(label)}: {escape(said)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(label)}</text>',
        f'<text class="better" x="8" y="37">{"longer" if figure.high else "shorter"} is better</text>',
    ]
    for n, (name, value) in enumerate(bars):
        y = TOP + n * (BAR + GAP)
        kind = "bar first" if n == 0 else "bar"
        long = max(1.0, (WIDTH - LEFT - RIGHT) * value / most)
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR}" rx="3"/>',
            f'<text x="{LEFT + long + 6:.1f}" y="{y + 16}">{value:,.{figure.digits}f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def columns(title: str, values: Sequence[int], marks: Sequence[tuple[float, str]]) -> str:
    """A column a second from the left, and a line at each moment that has a name."""
    high, base = 200, 262
    most = max(values, default=0) or 1
    wide = (WIDTH - 70) / max(len(values), 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 300" width="{WIDTH}" height="300" role="img" '
        f'aria-label="{escape(title)}: at most {most} in a second">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
        f'<path class="axis" d="M50 {base - high}H{WIDTH - 20}M50 {base}H{WIDTH - 20}"/>',
        f'<text x="42" y="{base - high + 5}" text-anchor="end">{most:,}</text>',
        f'<text x="42" y="{base + 5}" text-anchor="end">0</text>',
    ]
    for second, value in enumerate(values):
        tall = high * value / most
        lines.append(
            f'<rect class="bar first" x="{50 + second * wide:.1f}" y="{base - tall:.1f}" width="{wide * 0.85:.1f}" '
            f'height="{tall:.1f}"/>'
        )
    lines += [
        f'<text x="{50 + second * wide:.1f}" y="{base + 18}" text-anchor="middle">{second} s</text>'
        for second in range(0, len(values) + 1, 10)
    ]
    for at, name in marks:
        x = 50 + at * wide
        lines.append(f'<path class="mark" d="M{x:.1f} {base - high - 8}V{base}"/>')
        lines.append(f'<text class="better" x="{x + 3:.1f}" y="{base - high - 10}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>", ""])
