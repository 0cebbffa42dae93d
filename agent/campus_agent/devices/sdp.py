"""What does a stream carry? The few lines of a session description (RFC 4566) that are needed to listen to it. Pure."""

from dataclasses import dataclass
from urllib.parse import urljoin

MAX_LINES = 500
MAX_MEDIA = 8
STATIC_CLOCK_RATES = {0: 8000, 8: 8000, 9: 8000, 14: 90_000, 26: 90_000, 32: 90_000, 33: 90_000, 34: 90_000}
"""RFC 3551, section 6: payload types that need no rtpmap."""
_STATIC_NAMES = {0: "PCMU", 8: "PCMA", 9: "G722", 14: "MPA", 26: "JPEG", 32: "MPV", 33: "MP2T", 34: "H263"}


@dataclass(slots=True)
class Media:
    """One medium: `video` or `audio`, its codec's name, the clock of its timestamps, and where to set it up."""

    kind: str
    payload_type: int
    codec: str
    clock_rate: int
    control: str


def parse(text: str, base: str) -> list[Media]:
    """The media of a description; `base` is what their controls are relative to. Empty for nonsense."""
    found: list[Media] = []
    session_control = "*"
    for raw in text.splitlines()[:MAX_LINES]:
        line = raw.strip()
        if line.startswith("m="):
            parts = line[2:].split()
            if len(parts) >= 4 and parts[3].isdigit() and len(found) < MAX_MEDIA:
                number = int(parts[3])
                codec, rate = _STATIC_NAMES.get(number, ""), STATIC_CLOCK_RATES.get(number, 90_000)
                found.append(Media(parts[0], number, codec, rate, ""))
        elif line.startswith("a=rtpmap:") and found:
            number_text, _, what = line.removeprefix("a=rtpmap:").partition(" ")
            codec, _, rate_text = what.partition("/")
            rate_text = rate_text.partition("/")[0]
            if (
                number_text.strip() == str(found[-1].payload_type)
                and rate_text.isdigit()
                and 0 < int(rate_text) <= 10**7
            ):
                found[-1].codec, found[-1].clock_rate = codec.strip()[:30], int(rate_text)
        elif line.startswith("a=control:"):
            if found:
                found[-1].control = line.removeprefix("a=control:").strip()
            else:
                session_control = line.removeprefix("a=control:").strip()
    root = base if session_control in ("*", "") else urljoin(_folder(base), session_control)
    for media in found:
        media.control = root if media.control in ("*", "") else urljoin(_folder(root), media.control)
    return found


def _folder(url: str) -> str:
    """Relative controls are appended to the base (RFC 2326, appendix C.1.1), not put in place of its last part."""
    return url if url.endswith("/") else url + "/"
