"""Draws docs/pages/images/architecture.svg from the imports, and writes the table of folders into docs/pages/en/architecture.md.

Run after a folder or an import between folders changed: `python docs/architecture_picture.py`. A test compares both with the sources.
"""

import ast
import re
from collections import defaultdict
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/pages/images/architecture.svg"
PAGE = ROOT / "docs/pages/en/architecture.md"
BEGIN, END = "<!-- folders: written by architecture_picture.py -->", "<!-- end of folders -->"
PACKAGES = {
    "campus_agent": ROOT / "agent/campus_agent",
    "campus_collector": ROOT / "collector/campus_collector",
    "campus_base": ROOT / "agent/campus_base",
    "campus_wire": ROOT / "agent/campus_wire",
}
TITLES = {
    "campus_agent": "campus_agent: on the school's gateway",
    "campus_collector": "campus_collector: at the education bureau",
}
STEPS = {
    "campus_agent.config": "1",
    "campus_agent.schedule": "2",
    "campus_agent.gate": "3",
    "campus_agent.measure": "4",
    "campus_agent.spool": "5",
    "campus_agent.ship": "6",
    "campus_collector.http": "7, 13",
    "campus_collector.ingest": "8",
    "campus_collector.store": "9",
    "campus_collector.judge": "10",
    "campus_collector.ledger": "11",
    "campus_collector.export": "12",
    "campus_collector.report": "12",
}
"""The numbers of the page's section "The way of one result"."""
WIDTH, HEIGHT, ROW, COLUMN, GAP, MARGIN = 118, 34, 62, 620, 14, 20
STYLE = (
    "text{font:13px 'Noto Sans',system-ui,sans-serif;fill:#1b2430}.title{font-size:15px;font-weight:600}.note{font-size:12px;fill:#566273}"
    ".box{fill:#fff;stroke:#566273}.way{fill:#e3eef7;stroke:#14507a;stroke-width:1.6}.step{fill:#14507a}.number{fill:#fff;font-size:11px;font-weight:600}"
    ".import{fill:none;stroke:#9aa7b5;stroke-width:1}.data{fill:none;stroke:#14507a;stroke-width:2.5}.side{fill:#f3f5f8;stroke:#d5dbe3}"
)


def parts_of(package: str) -> list[str]:
    """The folders and modules directly in a package."""
    folder = PACKAGES[package]
    names = [path.parent.name for path in folder.glob("*/__init__.py")]
    return sorted(names + [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")])


def imports(package: str) -> dict[str, set[str]]:
    """For each part of a package the other parts that it imports."""
    folder, parts = PACKAGES[package], set(parts_of(package))
    found: dict[str, set[str]] = {part: set() for part in parts}
    for path in sorted(folder.rglob("*.py")):
        part = path.relative_to(folder).parts[0].removesuffix(".py")
        for module in modules_of(path):
            names = module.split(".")
            if part in parts and len(names) > 1 and names[0] == package and names[1] in parts and names[1] != part:
                found[part].add(names[1])
    return found


def modules_of(path: Path) -> list[str]:
    """Everything that a file imports, by its full name."""
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules += [f"{node.module}.{name.name}" for name in node.names]
    return modules


def ranks(graph: dict[str, set[str]]) -> dict[str, int]:
    """The layer of each part: 0 imports no other part, every import goes to a lower layer."""
    known: dict[str, int] = {}

    def rank(part: str, above: tuple[str, ...]) -> int:
        if part in above:
            raise ValueError(f"imports in a circle: {' > '.join((*above, part))}")
        if part not in known:
            known[part] = max((rank(other, (*above, part)) + 1 for other in graph[part]), default=0)
        return known[part]

    for part in graph:
        rank(part, ())
    return known


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that go the way of others: a > c where a > b > c."""

    def below(part: str) -> set[str]:
        return graph[part] | {far for other in graph[part] for far in below(other)}

    return {
        part: {folder for folder in others if not any(folder in below(other) for other in others if other != folder)}
        for part, others in graph.items()
    }


def placed(graph: dict[str, set[str]], left: float, top: float) -> dict[str, tuple[float, float]]:
    """The middle of each box: a row for each layer, the highest at the top, ordered so that arrows are short."""
    layers: dict[int, list[str]] = defaultdict(list)
    for part, layer in ranks(graph).items():
        layers[layer].append(part)
    places: dict[str, tuple[float, float]] = {}
    highest = max(layers)
    for layer in sorted(layers):
        below = {part: [places[other][0] for other in graph[part]] for part in layers[layer]}
        parts = sorted(
            layers[layer],
            key=lambda part: (sum(below[part]) / len(below[part]) if below[part] else left + COLUMN / 2, part),
        )
        width = len(parts) * WIDTH + (len(parts) - 1) * GAP
        for index, part in enumerate(parts):
            x = left + (COLUMN - width) / 2 + index * (WIDTH + GAP) + WIDTH / 2
            places[part] = (x, top + (highest - layer) * ROW + HEIGHT / 2)
    return places


def box(x: float, y: float, name: str, step: str = "", width: float = WIDTH) -> str:
    """A part with the number of its step."""
    text = f'<rect class="{"way" if step else "box"}" x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="6"/>'
    text += f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{escape(name)}</text>'
    if step:
        wide = 20 if len(step) < 3 else 40
        text += f'<rect class="step" x="{x - width / 2 - 6:.0f}" y="{y - HEIGHT / 2 - 8:.0f}" width="{wide}" height="18" rx="9"/>'
        text += f'<text class="number" x="{x - width / 2 - 6 + wide / 2:.0f}" y="{y - HEIGHT / 2 + 5:.0f}" text-anchor="middle">{step}</text>'
    return text


def picture() -> str:
    """The drawing."""
    graphs = {package: imports(package) for package in ("campus_agent", "campus_collector")}
    rows = {package: max(ranks(graph).values()) + 1 for package, graph in graphs.items()}
    deepest = max(rows.values())
    lines, boxes, all_places = [], [], {}
    for number, (package, graph) in enumerate(graphs.items()):
        left = MARGIN + number * (COLUMN + 40)
        places = placed(graph, left, 74 + (deepest - rows[package]) * ROW)
        all_places[package] = places
        boxes.append(
            f'<rect class="side" x="{left}" y="{MARGIN}" width="{COLUMN}" height="{74 + deepest * ROW - MARGIN}" rx="10"/>'
        )
        boxes.append(f'<text class="title" x="{left + 14}" y="{MARGIN + 24}">{TITLES[package]}</text>')
        for part, others in sorted(reduced(graph).items()):
            x, y = places[part]
            for other in sorted(others):
                to_x, to_y = places[other]
                middle = (y + to_y) / 2
                lines.append(
                    f'<path class="import" d="M{x:.0f} {y + HEIGHT / 2:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y - HEIGHT / 2:.0f}" marker-end="url(#grey)"/>'
                )
        for part, (x, y) in sorted(places.items()):
            lines.append(
                box(
                    x,
                    y,
                    part if (PACKAGES[package] / part).is_dir() else f"{part}.py",
                    STEPS.get(f"{package}.{part}", ""),
                )
            )
    top = 74 + deepest * ROW + 34
    whole = 2 * COLUMN + 40
    for number, (name, about) in enumerate(
        (
            ("campus_base", "what both programs need and does not travel"),
            ("campus_wire", "what travels: results, failures, codec"),
        )
    ):
        boxes.append(box(MARGIN + whole / 2, top + number * 50, f"{name}: {about}", width=whole))
    from_x, from_y = all_places["campus_agent"]["ship"]
    to_x, to_y = all_places["campus_collector"]["http"]
    boxes.append(
        f'<path class="data" d="M{from_x + WIDTH / 2:.0f} {from_y:.0f}C{from_x + 260:.0f} {from_y:.0f} {to_x - 260:.0f} {to_y:.0f} {to_x - WIDTH / 2:.0f} {to_y:.0f}" marker-end="url(#blue)"/>'
    )
    bottom = top + 50 + HEIGHT / 2 + 34
    notes = (
        f'<text class="note" x="{MARGIN}" y="{bottom:.0f}">Blue: the way of one result, numbers as in architecture.md. Grey arrows: imports (an import that follows'
        " from two others is left out). Every import goes down. Blue arrow: HTTPS.</text>"
    )
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{color}"/></marker>'
        for name, color in (("grey", "#9aa7b5"), ("blue", "#14507a"))
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole + 2 * MARGIN} {bottom + 14:.0f}" role="img" aria-label="Folders of agent and collector, their imports, and the way of one result">',
            f"<style>{STYLE}</style><defs>{heads}</defs>",
            f'<rect width="{whole + 2 * MARGIN}" height="{bottom + 14:.0f}" fill="#fff"/>',
            *boxes,
            *lines,
            notes,
            "</svg>\n",
        ]
    )


def folders() -> str:
    """A line for each folder: the first sentence of what its `__init__` says."""
    lines = ["| folder | what it is for |", "| --- | --- |"]
    for root in PACKAGES.values():
        for path in sorted(root.rglob("__init__.py"), key=lambda path: path.parent):
            about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            lines.append(f"| `{path.parent.relative_to(ROOT).as_posix()}` | {first_sentence(about)} |")
    return "\n".join(lines)


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, on one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) (?=[A-Z`])", paragraph)[0].replace("|", "\\|")


def with_folders(page: str) -> str:
    """The page with the table of folders written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{folders()}\n\n{END}{after}"


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(with_folders(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
