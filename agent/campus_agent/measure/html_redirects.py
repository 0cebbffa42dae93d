"""Where does a page lead that shows nothing itself? By a refresh, a script, a form that sends itself, or a frame. Pure.

Comments (also those that old browsers act on) and what is meant for browsers without scripts lead nobody anywhere. A page that brings
scripts of its own is an application: of what its scripts hold, only what runs at once and without a condition counts.
"""

import re

SHORT_PAGE_LETTERS, SHORT_TEXT_LETTERS = 8192, 200
"""A page that only leads elsewhere is shorter, and shows hardly anything."""
_NOT_FOR_US = re.compile(
    r"(<script\b.*?(?:</script\s*>|\Z))|<!--.*?(?:-->|\Z)|<noscript\b.*?(?:</noscript\s*>|\Z)", re.I | re.S
)
"""Marks of a comment within a script (the group) hide nothing but their line (HTML, 12.1.3.1: restrictions on scripts)."""
_SHOWN_NOWHERE = re.compile(r"<(script|style|title)\b.*?(?:</\1\s*>|\Z)|<[^>]*>", re.I | re.S)
_SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?:^|(?<=[\s;{}>]))//[^\n]*|<!--[^\n]*", re.S | re.M)
_META = re.compile(r"<meta\b[^>]{0,3000}>", re.I)
_IS_REFRESH = re.compile(r"""http-equiv\s*=\s*["']?\s*refresh""", re.I)
_CONTENT = re.compile(r"""\bcontent\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s>]{1,2000}))""", re.I)
_REFRESH = re.compile(r"""\s*[0-9.]{0,9}\s*[;,]?\s*(?:url\s*=\s*)?["']?([^"'\s]{1,2000})""", re.I)
_ADDRESS = r"""["'`]((?:https?:)?//[^"'`]{1,2000})"""
_GOES = (
    r"""(?:\blocation(?:\.href|\[["']href["']\])?(?:\s*=(?!=)|\.(?:replace|assign)\s*\()"""
    r"""|\bwindow\.(?:open|navigate)\s*\()\s*"""
)
_SCRIPT = re.compile(f"{_GOES}(?:{_ADDRESS}|([A-Za-z_$][A-Za-z0-9_$]{{0,60}}))", re.I)
_OWN_SCRIPT = re.compile(r"<script\b[^>]{0,1000}\bsrc\s*=", re.I)
_FORM = re.compile(r"""<form\b[^>]{0,1000}\baction\s*=\s*["']?((?:https?:)?//[^"'>\s]{1,2000})""", re.I)
_SENDS_ITSELF = re.compile(r"\.submit\s*\(")
_FRAME = re.compile(r"""<(i?)frame\b[^>]{0,1000}\bsrc\s*=\s*["']?((?:https?:)?//[^"'>\s]{1,2000})""", re.I)


def _unescape(text: str) -> str:
    """The text of an attribute."""
    if "&" not in text:
        return text
    from html import unescape  # its table of entities is 0.3 MB that few pages need

    return unescape(text)


def page_leads_to(text: str, refresh: str | None = None) -> str | None:
    """The address as written; None for a page that shows something, or leads nowhere else. `refresh`: what the header of that name says."""
    page = _NOT_FOR_US.sub(lambda match: match[1] or "", text)
    if len(page) > SHORT_PAGE_LETTERS or len(_SHOWN_NOWHERE.sub("", page).strip()) > SHORT_TEXT_LETTERS:
        return None
    return (
        _refreshed(refresh or "") or _refreshed_by_meta(page) or _by_script(page) or _by_form(page) or _by_frame(page)
    )


def _refreshed(text: str) -> str | None:
    """What `5; url=ADDRESS` names; as browsers do, `url=` may be missing."""
    match = _REFRESH.fullmatch(text.strip().rstrip("\"'"))
    return match[1] if match and not re.fullmatch(r"[0-9.;,]+", match[1]) else None


def _refreshed_by_meta(page: str) -> str | None:
    """`<meta http-equiv="refresh">`, in whatever order its attributes stand."""
    for tag in _META.finditer(page):
        content = _CONTENT.search(tag[0])
        if _IS_REFRESH.search(tag[0]) and content:
            target = _refreshed(_unescape(content[1] or content[2] or content[3] or ""))
            if target:
                return target
    return None


def _by_script(page: str) -> str | None:
    """Where a script goes: to an address, or to what a name was set to."""
    page = _SCRIPT_COMMENT.sub("", page.replace("\\/", "/"))
    has_others = _OWN_SCRIPT.search(page) is not None
    for match in _SCRIPT.finditer(page):
        if has_others and not _runs_at_once(page[: match.start()]):
            continue
        address = match[1] or _value_of(page, match[2])
        if address:
            return address
    return None


def _runs_at_once(before: str) -> bool:
    """Does what follows in this script stand in no function and under no condition?"""
    script = before[before.lower().rfind("<script") + 1 :]
    first = re.search(r"[A-Za-z.]*\Z", script)
    return script.count("{") <= script.count("}") and not script[: first.start() if first else None].rstrip().endswith(
        (")", "?", "&&", "||", "else")
    )


def _value_of(page: str, name: str) -> str | None:
    match = re.search(rf"(?<![A-Za-z0-9_$.]){re.escape(name)}\s*=\s*{_ADDRESS}", page)
    return match[1] if match else None


def _by_form(page: str) -> str | None:
    form = _FORM.search(page) if _SENDS_ITSELF.search(page) else None
    return _unescape(form[1]) if form else None


def _by_frame(page: str) -> str | None:
    """A frame is the page where nothing else is; beside scripts it may be a counter of visits."""
    for match in _FRAME.finditer(page):
        if not match[1] or not _OWN_SCRIPT.search(page):
            return _unescape(match[2])
    return None
