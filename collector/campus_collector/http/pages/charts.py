"""A small chart of a line rate against the required one, as SVG: legible in black and white, and read out as text. Pure.

The scale ends at 1.5 times the required rate; the solid tick is the required rate, the dotted one what the tolerance allows. A bar
that reaches the dotted tick passes. A rate beyond the scale ends in an arrow.
"""

from html import escape

WIDTH, BAR_HEIGHT, GAP = 240, 13, 4
SCALE = 1.5


def rate_chart(
    rates_bits_per_second: list[tuple[str, float | None]],
    required_bits_per_second: float,
    tolerance_ratio: float,
    title: str,
) -> str:
    """One bar a direction, label at its left end; `title` says the same in words."""
    height = len(rates_bits_per_second) * (BAR_HEIGHT + GAP) + GAP
    end = required_bits_per_second * SCALE
    required_x, allowed_x = WIDTH / SCALE, WIDTH / SCALE * tolerance_ratio
    parts = [
        f'<svg class="rate" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<rect x="0" y="0" width="{WIDTH}" height="{height}" class="ground"/>'
    ]
    for number, (label, rate) in enumerate(rates_bits_per_second):
        y = GAP + number * (BAR_HEIGHT + GAP)
        if rate is not None:
            passes = rate >= required_bits_per_second * tolerance_ratio
            width = max(1.5, min(1.0, rate / end) * WIDTH)
            parts.append(
                f'<rect x="0" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" class="{"good" if passes else "bad"}"/>'
            )
            if rate > end:
                middle, tip = y + BAR_HEIGHT / 2, WIDTH - 2
                parts.append(
                    f'<path d="M{tip - 7} {y + 2} L{tip} {middle} L{tip - 7} {y + BAR_HEIGHT - 2}" class="beyond"/>'
                )
        parts.append(f'<text x="4" y="{y + BAR_HEIGHT - 3}" class="label">{escape(label)}</text>')
    parts.append(f'<line x1="{allowed_x:.1f}" x2="{allowed_x:.1f}" y1="0" y2="{height}" class="allowed"/>')
    parts.append(f'<line x1="{required_x:.1f}" x2="{required_x:.1f}" y1="0" y2="{height}" class="required"/></svg>')
    return "".join(parts)


def share_chart(counts: list[tuple[str, int]], title: str) -> str:
    """Shares of a whole as one stacked bar; the classes carry pattern as well as tone."""
    total = sum(count for _, count in counts)
    x = 0.0
    parts = [
        f'<svg class="share" viewBox="0 0 {WIDTH} 14" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
        '<defs><pattern id="stripes" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2" height="5" class="stripe"/></pattern></defs>'
        f'<rect x="0" y="0" width="{WIDTH}" height="14" class="ground"/>'
    ]
    for name, count in counts:
        width = WIDTH * count / total if total else 0.0
        if width:
            parts.append(f'<rect x="{x:.2f}" y="0" width="{width:.2f}" height="14" class="{escape(name)}"/>')
        x += width
    return "".join(parts) + "</svg>"
