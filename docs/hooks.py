"""What mkdocs does not do by itself: Chinese lines without blanks between them, and an index for the search of each language.

The index is a list of sections; `theme/assets/manual.js` looks for the reader's words anywhere in their text, so that it needs no word boundaries.
"""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

CJK = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\u2018-\u201d\u2026"
BETWEEN_LINES = re.compile(rf"(?<=[{CJK}])\n(?=[{CJK}])")
HEADING = re.compile(r'<h([23]) id="([^"]+)">(.*?)</h\1>', re.DOTALL)
sections: dict[str, list[dict[str, str]]] = {}


def language_of(url: str) -> str:
    """Of a page, by its address."""
    return "en" if url.startswith("en/") else "zh"


def on_pre_build(config: Any) -> None:
    sections.clear()
    sections.update(zh=[], en=[])


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """The page's HTML; a line break between two Chinese letters would be shown as a blank."""
    parts = re.split(r"(<pre>.*?</pre>)", html, flags=re.DOTALL)
    html = "".join(part if part.startswith("<pre>") else BETWEEN_LINES.sub("", part) for part in parts)
    html = re.sub("<(pre|table)>", r'<\1 tabindex="0">', html)  # wide ones scroll; so they do by the keyboard
    cut = HEADING.split(html)
    title = plain(page.title)
    added = [{"url": page.url, "page": title, "heading": "", "text": plain(cut[0])}]
    for anchor, heading, text in zip(cut[2::4], cut[3::4], cut[4::4], strict=True):
        added.append({"url": f"{page.url}#{anchor}", "page": title, "heading": plain(heading), "text": plain(text)})
    sections[language_of(page.url)] += added
    return html


def on_post_build(config: Any) -> None:
    """Write both indexes; a sitemap for search engines, with the day of the build, is not wanted."""
    site = Path(config["site_dir"])
    for name in ("sitemap.xml", "sitemap.xml.gz"):
        (site / name).unlink(missing_ok=True)
    for language, found in sections.items():
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        (site / f"search-{language}.json").write_text(text, encoding="utf-8")


def plain(html: str) -> str:
    """HTML as text in one line."""
    without = re.sub(
        r"<[^>]+>", lambda tag: " " if re.match(r"</?(p|li|td|th|tr|div|h\d|dd|dt|br|pre)\b", tag[0]) else "", html
    )
    return " ".join(unescape(without).split())
