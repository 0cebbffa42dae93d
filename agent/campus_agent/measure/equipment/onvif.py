"""ONVIF without the socket: SOAP 1.2 requests to bytes, answers to what they say, faults to what they mean. Pure.

Sources: ONVIF Core (GetSystemDateAndTime, GetDeviceInformation, GetServices, GetCapabilities), Media (GetProfiles, GetStreamUri) and
Recording Control (GetRecordingJobs, GetRecordingJobState) service specifications; SOAP 1.2 part 1; WSS UsernameToken Profile 1.0.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from campus_agent.measure.equipment.xmltree import Element
from campus_wire.digits import ascii_integer

DEVICE_PATH = "/onvif/device_service"
"""Where every device has its device service (ONVIF Core, section 5.1.1)."""
DEVICE, MEDIA, RECORDING = (
    "http://www.onvif.org/ver10/device/wsdl",
    "http://www.onvif.org/ver10/media/wsdl",
    "http://www.onvif.org/ver10/recording/wsdl",
)
YEARS = range(1970, 2106)
"""What 32 bits of seconds can count: a clock that was never set says 1970 or 2000, none says 9999."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""A recorder of 128 channels describes each of its profiles in 10 kB; of that only what NEEDED names is kept."""
MAX_TOKEN = 100
MAX_PATH = 1_000
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_REFUSALS = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"})
"""Fault codes for a wrong or missing password: ONVIF Core section 5.11.2.1, WSS SOAP Message Security section 12."""

NEEDED = frozenset(
    [
        "Envelope",
        "Body",
        "Fault",
        "Code",
        "Subcode",
        "Value",
        "Reason",
        "Text",
        "faultcode",
        "faultstring",
        "SystemDateAndTime",
        "UTCDateTime",
        "TimeZone",
        "TZ",
        "Date",
        "Time",
        "Year",
        "Month",
        "Day",
        "Hour",
        "Minute",
        "Second",
        "Manufacturer",
        "Model",
        "FirmwareVersion",
        "Service",
        "Namespace",
        "XAddr",
        "Capabilities",
        "Media",
        "Extension",
        "Recording",
        "Profiles",
        "MediaUri",
        "Uri",
        "JobItem",
        "JobToken",
        "State",
    ]
) | {
    f"Get{name}Response"
    for name in (
        "SystemDateAndTime",
        "DeviceInformation",
        "Services",
        "Capabilities",
        "Profiles",
        "StreamUri",
        "RecordingJobs",
        "RecordingJobState",
    )
}
"""The elements of answers that the functions below look at: of what lies within others nothing is kept."""


class OnvifError(ValueError):
    """An answer that is not the one asked for. `codes` are those of a fault, from general to special."""

    def __init__(self, detail: str, codes: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.codes = codes

    @property
    def refused(self) -> bool:
        """Does the device want another user or password?"""
        return bool(_REFUSALS & set(self.codes))

    @property
    def unknown(self) -> bool:
        """Has the device no such operation? (ONVIF Core, section 5.11.2.1)"""
        return "ActionNotSupported" in self.codes


@dataclass(frozen=True, slots=True)
class Token:
    """What proves a password without sending it. `nonce` is fresh for each request; `created` is by the device's own clock."""

    user: str
    password: str = field(repr=False)
    nonce: bytes
    created: datetime

    @property
    def created_text(self) -> str:
        return self.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def digest(self) -> str:
        """Base64(SHA-1(nonce + created + password)) (WSS UsernameToken Profile 1.0, section 3.1)."""
        hashed = hashlib.sha1(self.nonce + self.created_text.encode() + self.password.encode(), usedforsecurity=False)
        return b64encode(hashed.digest()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says it is."""

    manufacturer: str
    model: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Services:
    """Paths of the services on the device's own address; None for one it has not."""

    media: str | None
    recording: str | None


def envelope(body: str, token: Token | None = None) -> bytes:
    """One request, with who asks where that is needed."""
    header = _security(token) if token is not None else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{_SOAP}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def content_type(service: str, operation: str) -> str:
    """The header of a SOAP 1.2 request (RFC 3902)."""
    return f'application/soap+xml; charset=utf-8; action="{service}/{operation}"'


def call(service: str, operation: str, inner: str = "") -> str:
    """The body of a request; `inner` is XML in the names of `service` (prefix `w`) and of the schema (prefix `t`)."""
    return f'<w:{operation} xmlns:w="{service}" xmlns:t="{_SCHEMA}">{inner}</w:{operation}>'


ALL_CAPABILITIES = "<w:Category>All</w:Category>"
ONLY_ADDRESSES = "<w:IncludeCapability>false</w:IncludeCapability>"


def stream_of(profile: str) -> str:
    """What GetStreamUri is asked: RTP in RTSP, of one media profile."""
    return (
        "<w:StreamSetup><t:Stream>RTP-Unicast</t:Stream><t:Transport><t:Protocol>RTSP</t:Protocol></t:Transport>"
        f"</w:StreamSetup><w:ProfileToken>{escape(profile)}</w:ProfileToken>"
    )


def job(token: str) -> str:
    """What GetRecordingJobState is asked."""
    return f"<w:JobToken>{escape(token)}</w:JobToken>"


def answer(root: Element, operation: str) -> Element:
    """The element `operation`Response of an answer. Raises OnvifError: no SOAP, a fault, the answer to something else."""
    body = root.at("Body")
    if root.name != "Envelope" or body is None:
        raise OnvifError(f"no SOAP: <{_printable(root.name[:40])}>")
    fault = body.at("Fault")
    if fault is not None:
        codes = tuple(_codes(fault))
        reason = fault.text_at("Reason", "Text") or fault.text_at("faultstring")
        detail = f"fault {'/'.join(codes) or 'without a code'}: {_printable(reason)}"
        raise OnvifError(detail, codes)
    response = body.at(f"{operation}Response")
    if response is None:
        raise OnvifError(f"no {operation}Response")
    return response


def utc(answer: Element) -> datetime:
    """GetSystemDateAndTime: the device's clock, in whole seconds. Raises OnvifError when it does not give UTC."""
    date_and_time = answer.at("SystemDateAndTime", "UTCDateTime")
    if date_and_time is None:
        raise OnvifError("no UTCDateTime")
    parts = [
        ("Date", "Year"),
        ("Date", "Month"),
        ("Date", "Day"),
        ("Time", "Hour"),
        ("Time", "Minute"),
        ("Time", "Second"),
    ]
    texts = [date_and_time.text_at(*path) for path in parts]
    numbers = [number for number in (ascii_integer(text, YEARS[-1]) for text in texts) if number is not None]
    try:
        year, month, day, hour, minute, second = numbers
        if year not in YEARS:
            raise ValueError
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise OnvifError(f"no date: {_printable(' '.join(texts))}") from None


def zone(answer: Element) -> timedelta | None:
    """GetSystemDateAndTime: how far the device's zone is from UTC, without its sign, which POSIX and people write differently."""
    text = answer.text_at("SystemDateAndTime", "TimeZone", "TZ")
    match = re.search(r"[+-]([0-9]{1,2})(?::([0-9]{2}))?", text[:60])
    hours = timedelta(hours=int(match[1]), minutes=int(match[2] or 0)) if match else timedelta(0)
    return hours if timedelta(0) < hours <= timedelta(hours=14) else None


def identity(answer: Element) -> Identity:
    """The answer to GetDeviceInformation: manufacturer, model and the like."""
    device = Identity(*(_printable(answer.text_at(name)) for name in ("Manufacturer", "Model", "FirmwareVersion")))
    if not device.firmware and not device.model:
        raise OnvifError("neither model nor firmware")
    return device


def services(answer: Element) -> Services:
    """GetServices: only the paths are taken, whatever host or port the device names."""
    paths = {
        service.text_at("Namespace").rstrip("/"): _path(service.text_at("XAddr")) for service in answer.all("Service")
    }
    return Services(paths.get(MEDIA), paths.get(RECORDING))


def capabilities(answer: Element) -> Services:
    """GetCapabilities, for devices older than GetServices."""
    media = answer.text_at("Capabilities", "Media", "XAddr")
    recording = answer.text_at("Capabilities", "Extension", "Recording", "XAddr")
    return Services(_path(media), _path(recording))


def profiles(answer: Element) -> list[str]:
    """GetProfiles: the tokens, in the device's order. The first is the main stream."""
    return [
        profile.attributes["token"][:MAX_TOKEN] for profile in answer.all("Profiles") if profile.attributes.get("token")
    ]


def stream_uri(answer: Element, host: str) -> str:
    """GetStreamUri, with the host replaced by the device's own address: no answer sends us elsewhere. Raises OnvifError."""
    text = answer.text_at("MediaUri", "Uri")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OnvifError("no address of a stream") from None
    if parts.scheme != "rtsp" or port == 0 or len(text) > MAX_PATH or not _plain(text):
        raise OnvifError("no address of a stream by RTSP")
    authority = f"[{host}]" if ":" in host else host
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"rtsp://{authority}{f':{port}' if port else ''}{path}"


def jobs(answer: Element) -> list[str]:
    """GetRecordingJobs: the tokens."""
    tokens = (item.text_at("JobToken") for item in answer.all("JobItem"))
    return [token[:MAX_TOKEN] for token in tokens if token]


def job_state(answer: Element) -> str:
    """GetRecordingJobState: `Idle`, `Active`, `PartiallyActive` or `Error`. Raises OnvifError for anything else."""
    state = answer.text_at("State", "State")
    if state not in ("Idle", "Active", "PartiallyActive", "Error"):
        raise OnvifError(f"no state of a recording: {_printable(state)}")
    return state


def recording(states: Iterable[str]) -> float | None:
    """Does it record? 1 when some job does, 0 when jobs exist and none does, None when there is no job."""
    listed = list(states)
    return float(any(state in ("Active", "PartiallyActive") for state in listed)) if listed else None


def _security(token: Token) -> str:
    nonce = b64encode(token.nonce).decode("ascii")
    return (
        f'<o:Security s:mustUnderstand="1" xmlns:o="{_WSS}wssecurity-secext-1.0.xsd"'
        f' xmlns:u="{_WSS}wssecurity-utility-1.0.xsd"><o:UsernameToken><o:Username>{escape(token.user)}</o:Username>'
        f'<o:Password Type="{_WSS}username-token-profile-1.0#PasswordDigest">{token.digest}</o:Password>'
        f'<o:Nonce EncodingType="{_WSS}soap-message-security-1.0#Base64Binary">{nonce}</o:Nonce>'
        f"<u:Created>{token.created_text}</u:Created></o:UsernameToken></o:Security>"
    )


def _codes(fault: Element) -> Iterator[str]:
    """The code and its subcodes, from general to special, without prefixes."""
    here = fault.at("Code")
    while here is not None:
        text = here.text_at("Value")
        if text:
            yield _printable(text.rpartition(":")[2])[:40]
        here = here.at("Subcode")
    if fault.at("faultcode") is not None:  # SOAP 1.1, as some devices answer all the same
        yield _printable(fault.text_at("faultcode").rpartition(":")[2])[:40]


def _path(address: str) -> str | None:
    """The path of a service's address, the first where several are named; None without one that can be asked."""
    try:
        parts = urlsplit((address.split() or [""])[0])
    except ValueError:
        return None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return path if parts.path.startswith("/") and len(path) <= MAX_PATH and _plain(path) else None


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:120]).strip()
