"""What does a stream carry? The few lines of a session description (RFC 4566) that are needed to listen to it, and the addresses they name. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from campus_wire.digits import ascii_integer

MAX_LINES = 500
MAX_MEDIA = 8
MAX_ADDRESS = 1_000
MAX_CLOCK_RATE = 10**7
STATIC_CLOCK_RATES = {0: 8000, 8: 8000, 9: 8000, 14: 90_000, 26: 90_000, 32: 90_000, 33: 90_000, 34: 90_000}
"""RFC 3551, section 6: payload types that need no rtpmap."""
_STATIC_NAMES = {0: "PCMU", 8: "PCMA", 9: "G722", 14: "MPA", 26: "JPEG", 32: "MPV", 33: "MP2T", 34: "H263"}
_CLOCK_RATES = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "OPUS": 48_000}
"""Of formats whose rtpmap names no rate that can be; a picture's is always 90 kHz."""
_PICTURE_CLOCK_RATE = 90_000
_SCHEMES = re.compile(r"(?:rtsps?:/*)+", re.IGNORECASE)
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(slots=True)
class Media:
    """One medium: `video` or `audio`, its codec's name, the clock of its timestamps, and where to set it up: the likeliest address first.

    `payload_type` is None where the medium names no format. `direction` is as the device writes it.
    """

    kind: str
    payload_type: int | None
    codec: str
    clock_rate: int
    control: str
    direction: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class Description:
    """A session: its media in the order of the text, and the addresses of the whole (to play), the likeliest first."""

    media: list[Media] = field(default_factory=list)
    addresses: tuple[str, ...] = ()

    @property
    def heard(self) -> list[Media]:
        """What is listened to, pictures first: never a back channel, which would take the room's loudspeaker, nor metadata beside them."""
        active = [media for media in self.media if media.direction != "inactive" and not self._back_channel(media)]
        pictures, sounds = ([media for media in active if media.kind == kind] for kind in ("video", "audio"))
        return pictures + sounds or active

    def _back_channel(self, media: Media) -> bool:
        """ONVIF marks the sound that a client may send `sendonly`; a device that marks everything so means its own side (RFC 3264)."""
        return (
            media.kind != "video"
            and media.direction == "sendonly"
            and any(other.direction != "sendonly" for other in self.media if other.kind in ("video", "audio"))
        )


def describe(text: str, base: str, asked: str) -> Description:
    """A session: `base` is what the answer was about (see `base_of`), `asked` the address that was asked. Empty for nonsense."""
    description = Description()
    session = Media("", None, "", 90_000, "*")
    current = session
    for raw in text.splitlines()[:MAX_LINES]:
        line = raw.strip()
        if line.startswith("m="):  # what follows is this medium's own, whether it is understood or not
            current = _media(line[2:].split(), session.direction)
            if current.kind in ("video", "audio", "application") and len(description.media) < MAX_MEDIA:
                description.media.append(current)
        elif line.startswith("a=rtpmap:"):
            _take_format(current, line.removeprefix("a=rtpmap:"))
        elif line.startswith("a=control:"):
            current.control = line.removeprefix("a=control:").strip()
        elif line.startswith("a=") and line[2:] in _DIRECTIONS:
            current.direction = line[2:]
    description.addresses = tuple(dict.fromkeys(_addresses(session.control, (base, asked))))
    for media in description.media:
        media.addresses = tuple(dict.fromkeys(_addresses(media.control, (*description.addresses[:1], base, asked))))
        media.control = media.addresses[0] if media.addresses else ""
    return description


def _media(parts: list[str], direction: str) -> Media:
    """A medium by its `m=` line; one whose format is missing or is no payload type is known by its rtpmap, if at all."""
    number = ascii_integer(parts[3], 127) if len(parts) >= 4 else None
    rate = STATIC_CLOCK_RATES.get(number, 90_000) if number is not None else 90_000
    codec = _STATIC_NAMES.get(number, "") if number is not None else ""
    return Media(parts[0].lower() if parts else "", number, codec, rate, "", direction)


def _take_format(media: Media, text: str) -> None:
    """An rtpmap: payload type, name, clock rate. A rate that is missing or none leaves the name what it is."""
    number_text, what = [*text.split(None, 1), "", ""][:2]
    codec, _, rate_text = what.partition("/")
    codec = codec.strip()[:30]
    number, rate = ascii_integer(number_text, 127), ascii_integer(rate_text.partition("/")[0].strip(), MAX_CLOCK_RATE)
    if number is None or not codec or media.payload_type not in (None, number):
        return
    usual = _PICTURE_CLOCK_RATE if media.kind == "video" else _CLOCK_RATES.get(codec.upper(), media.clock_rate)
    media.payload_type, media.codec, media.clock_rate = number, codec, rate or usual


def _addresses(control: str, bases: tuple[str, ...]) -> Iterator[str]:
    """What a control may mean, the likeliest first: appended to its base, as RTSP players do, or relative as in RFC 1808, or on the address asked."""
    asked = bases[-1]
    absolute = _SCHEMES.match(control) is not None
    tries = [base_of(control, asked)] if absolute else [appended(base, control) for base in bases]
    if absolute:
        with_own_host = _on_host_of(asked, tries[0])
        tries += [with_own_host] if with_own_host else []
    elif control not in ("*", ""):
        try:
            tries.append(urljoin(asked, control))
        except ValueError:
            pass
    yield from (address for address in tries if _usable(address))


def appended(base: str, control: str) -> str:
    """A control on its base: everything after the last letter, a query too, as VLC, FFmpeg and GStreamer do (RFC 2326, appendix C.1.1)."""
    if control in ("*", ""):
        return base
    if control.startswith("?"):
        return base + (control if "?" not in base else "&" + control[1:])
    return base.rstrip("/") + "/" + control.lstrip("/")


def base_of(text: str, asked: str) -> str:
    """The base an answer names (Content-Base), mended where that can be done, else the address that was asked.

    Devices write the scheme twice or not at all, IPv6 addresses without brackets, no host, or nothing.
    """
    scheme = _SCHEMES.match(text.strip())
    rest = text.strip()[scheme.end() :] if scheme else text.strip()
    authority, slash, path = rest.partition("/")
    authority = _bracketed(authority.rpartition("@")[2])
    if not rest or not (slash or scheme):
        return asked
    if not _is_host(authority):  # a path that has lost its host, or one with a host nobody can be asked at
        path = path if scheme and "//" in scheme[0] and "///" not in scheme[0] else rest
        authority, slash = urlsplit(asked).netloc, "/"
    url = f"rtsp://{authority}{slash}{path.lstrip('/')}"
    return url if _usable(url) else asked


def _bracketed(authority: str) -> str:
    """An IPv6 address that lacks its brackets gets them; a port after it is known only behind dotted digits."""
    if authority.count(":") < 2 or "[" in authority:
        return authority
    host, port = authority, ""
    dotted = re.fullmatch(r"(.*\.[0-9]{1,3}):([0-9]{1,5})", authority)
    if dotted:
        host, port = dotted.groups()
    return f"[{host}]:{port}" if port else f"[{host}]"


def _is_host(authority: str) -> bool:
    """Could a message be addressed so? A word without a dot is a path that has lost its beginning."""
    try:
        parts = urlsplit(f"rtsp://{authority}/")
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return False
    valid = bool(re.fullmatch(r"[0-9a-z._:%-]+", host)) and ("." in host or ":" in host or host == "localhost")
    return valid and port != 0 and host not in ("0.0.0.0", "::")  # noqa: S104 - not bound, refused


def _on_host_of(asked: str, address: str) -> str | None:
    try:
        return urlsplit(address)._replace(netloc=urlsplit(asked).netloc).geturl()
    except ValueError:
        return None


def _usable(address: str) -> bool:
    """Can it stand in a request line?"""
    try:
        urlsplit(address)
    except ValueError:
        return False
    return len(address) <= MAX_ADDRESS and address.isprintable() and " " not in address
