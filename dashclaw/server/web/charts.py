"""Small pictures, drawn by the server as SVG; colours are classes of the style sheet, a text says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi, sin
from typing import Any

from markupsafe import Markup

# A picture of three columns has three slim ones, not three blocks.
_FEWEST = 24
_SVG = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>')
_ROUND = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')


def spark(
    values: Sequence[float], label: str, *, top: float | None = None, width: int = 120, height: int = 28
) -> Markup:
    """A line without axes, oldest value first; `top` is the value at the upper edge, the largest one by default."""
    if not values:
        return Markup("")
    points = _points(values, top or max(*values, 1), width, height)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = Markup('<polygon class="spark-area" points="0,{} {} {},{}"/>').format(height, line, width, height)
    drawn = area + Markup('<polyline class="spark-line" points="{}"/>').format(line)
    return _SVG.format("spark", width, height, label, drawn)


def _points(values: Sequence[float], top: float, width: int, height: int) -> list[tuple[float, float]]:
    step = width / max(1, len(values) - 1)
    inner = height - 4
    points = [(index * step, 2 + inner * (1 - min(value, top) / top)) for index, value in enumerate(values)]
    return points if len(points) > 1 else [points[0], (float(width), points[0][1])]


def bars(
    rows: Sequence[Mapping[str, float]], label: str, *, top: float | None = None, width: int = 480, height: int = 96
) -> Markup:
    """Stacked columns, one per row; a row maps the name of a part (a colour `k-<name>`) to its size."""
    top = top or max((sum(row.values()) for row in rows), default=0) or 1
    step = width / max(_FEWEST, len(rows))
    return _SVG.format(
        "bars",
        width,
        height,
        label,
        Markup("").join(_column(row, index * step, step, top, height) for index, row in enumerate(rows)),
    )


def _column(row: Mapping[str, float], left: float, step: float, top: float, height: int) -> Markup:
    drawn, base = Markup(""), float(height)
    gap = min(2.0, step * 0.2)
    for name, size in row.items():
        tall = (height - 2) * size / top
        base -= tall
        if size:
            drawn += Markup('<rect class="k-{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
                name, left + gap / 2, base, step - gap, tall
            )
    return drawn


def donut(parts: Mapping[str, float], label: str, *, middle: str = "", size: int = 120) -> Markup:
    """A ring of parts, each in its colour `k-<name>`, with a word in the middle."""
    total = sum(parts.values())
    radius, centre = size * 0.38, size / 2
    ring = Markup('<circle class="donut-track" cx="{0}" cy="{0}" r="{1}"/>').format(centre, radius)
    begun = 0.0
    for name, value in parts.items():
        if value:
            ring += _arc(name, begun / total, (begun + value) / total, centre, radius)
            begun += value
    text = Markup('<text class="donut-middle" x="{0}" y="{0}" dy="0.35em">{1}</text>').format(centre, middle)
    return _ROUND.format("donut", size, size, label, ring + text)


def _arc(name: str, begin: float, end: float, centre: float, radius: float) -> Markup:
    if end - begin >= 1:
        return Markup('<circle class="donut-part k-{0}" cx="{1}" cy="{1}" r="{2}"/>').format(name, centre, radius)
    (x0, y0), (x1, y1) = _on_circle(begin, centre, radius), _on_circle(end, centre, radius)
    path = f"M{x0:.2f} {y0:.2f}A{radius:.2f} {radius:.2f} 0 {int(end - begin > 0.5)} 1 {x1:.2f} {y1:.2f}"
    return Markup('<path class="donut-part k-{}" d="{}"/>').format(name, path)


def _on_circle(turn: float, centre: float, radius: float) -> tuple[float, float]:
    angle = 2 * pi * turn - pi / 2
    return centre + radius * cos(angle), centre + radius * sin(angle)


def swatch(kind: str) -> Markup:
    """A square in the colour `k-<kind>`, for a legend."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">'
        '<rect class="k-{}" width="10" height="10" rx="2"/></svg>'
    ).format(kind)


def meter(value: float, label: str, *, top: float = 100, kind: str = "accent") -> Markup:
    """A horizontal bar that fills with `value`."""
    filled = max(0.0, min(1.0, value / top if top else 0.0)) * 100
    drawn: Any = Markup('<rect class="meter-track" width="100" height="6"/>')
    drawn += Markup('<rect class="k-{}" width="{:.1f}" height="6"/>').format(kind, filled)
    return _SVG.format("meter", 100, 6, label, drawn)
