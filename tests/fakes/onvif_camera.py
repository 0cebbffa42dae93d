"""A FAKE camera for tests (no ONVIF device can be had from the registries): answers SOAP requests in the shapes of the ONVIF core, media and
recording specifications, and checks the password as they say. What it gets wrong, and how it lies, is the test's word.
"""

import base64
import hashlib
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

USER, PASSWORD = "monitor", "secret-of-the-camera"
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:trc="http://www.onvif.org/ver10/recording/wsdl"'
    ' xmlns:ter="http://www.onvif.org/ver10/error"><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>'
)
_CREATED_WITHIN_SECONDS = 5.0


@dataclass(slots=True)
class FakeCamera:
    """One device. `spoil` replaces the octets of the HTTP answer to an operation; `clock_ahead_seconds` moves its clock."""

    stream: str = "rtsp://127.0.0.1:1/live"
    clock_ahead_seconds: float = 0.0
    password: str = PASSWORD
    digest_only: bool = False
    guards_clock: bool = False
    recording: str | None = "Active"
    services: bool = True
    address: str = "http://192.0.2.7:8899"
    """What it believes its own address to be: behind NAT or copied from another school, rarely the one it is asked at."""
    spoil: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    nonces: set[bytes] = field(default_factory=set)

    def serve(self, client: socket.socket) -> None:
        """One request, one answer, the connection ends."""
        head, body = _request(client)
        operation = re.search(rb"<(?:\w+:)?Body><(?:\w+:)?(\w+)", body)
        name = operation[1].decode() if operation else "?"
        self.asked.append(name)
        self.heads.append(head)
        if name in self.spoil:
            client.sendall(self.spoil[name]())
            return
        if name != "GetSystemDateAndTime" or self.guards_clock:
            if self.digest_only:
                if not self._digest(head):
                    challenge = f'Digest realm="cam", qop="auth", nonce="{len(self.asked):08x}", algorithm=MD5'
                    client.sendall(
                        http(b"", 401, f'WWW-Authenticate: {challenge}\r\nWWW-Authenticate: Basic realm="cam"\r\n')
                    )
                    return
            elif not self._token(body):
                client.sendall(fault("Sender", "NotAuthorized", "Sender not authorized"))
                return
        client.sendall(self._answer(name, body))

    def _answer(self, name: str, body: bytes) -> bytes:
        answers = {
            "GetSystemDateAndTime": self._clock,
            "GetDeviceInformation": lambda: (
                "<tds:Manufacturer>Fake</tds:Manufacturer><tds:Model>LC-200</tds:Model>"
                "<tds:FirmwareVersion>5.6.3 build 190923</tds:FirmwareVersion><tds:SerialNumber>1</tds:SerialNumber>"
                "<tds:HardwareId>88</tds:HardwareId>"
            ),
            "GetServices": self._services,
            "GetCapabilities": self._capabilities,
            "GetProfiles": lambda: (
                '<trt:Profiles fixed="true" token="main&amp;1"><tt:Name>main</tt:Name></trt:Profiles>'
                '<trt:Profiles fixed="true" token="sub"><tt:Name>sub</tt:Name></trt:Profiles>'
            ),
            "GetStreamUri": lambda: (
                f"<trt:MediaUri><tt:Uri>{escape(self.stream)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
                "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
            ),
            "GetRecordingJobs": lambda: (
                "<trc:JobItem><trc:JobToken>job1</trc:JobToken><trc:JobConfiguration><tt:RecordingToken>r1</tt:RecordingToken>"
                "<tt:Mode>Active</tt:Mode><tt:Priority>1</tt:Priority></trc:JobConfiguration></trc:JobItem>"
            ),
            "GetRecordingJobState": lambda: (
                f"<trc:State><tt:RecordingToken>r1</tt:RecordingToken><tt:State>{self.recording}</tt:State>"
                "<tt:Sources><tt:SourceToken><tt:Token>main</tt:Token></tt:SourceToken><tt:State>Idle</tt:State></tt:Sources>"
                "</trc:State>"
            ),
        }  # fmt: skip
        if name not in answers or (name == "GetServices" and not self.services):
            return fault("Receiver", "ActionNotSupported", "Optional Action Not Implemented", 500)
        if name == "GetStreamUri" and b"main&amp;1" not in body:
            return fault("Sender", "InvalidArgVal", "No such profile")
        prefix = {"GetP": "trt", "GetSt": "trt", "GetR": "trc"}
        space = next((value for key, value in prefix.items() if name.startswith(key)), "tds")
        return soap(f"<{space}:{name}Response>{answers[name]()}</{space}:{name}Response>")

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.clock_ahead_seconds)

    def _clock(self) -> str:
        now = self._now()
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
            "<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone><tt:UTCDateTime><tt:Time>"
            f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
            "</tt:UTCDateTime></tds:SystemDateAndTime>"
        )

    def _services(self) -> str:
        known = [("device", "device_service"), ("media", "Media")]
        known += [("recording", "Recording")] if self.recording else []
        return "".join(
            f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace><tds:XAddr>{self.address}/onvif/{path}"
            "</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>6</tt:Minor></tds:Version></tds:Service>"
            for name, path in known
        )

    def _capabilities(self) -> str:
        recording = f"<tt:Extension><tt:Recording><tt:XAddr>{self.address}/onvif/Recording</tt:XAddr></tt:Recording></tt:Extension>"
        return (
            f"<tds:Capabilities><tt:Media><tt:XAddr>{self.address}/onvif/Media</tt:XAddr></tt:Media>"
            f"{recording if self.recording else ''}</tds:Capabilities>"
        )

    def _token(self, body: bytes) -> bool:
        """WS-UsernameToken with PasswordDigest: right, of now by this device's own clock, and its nonce never seen."""
        parts = [
            re.search(rb"<\w+:" + name + rb"(?: [^>]*)?>([^<]*)<", body)
            for name in (b"Username", b"Password", b"Nonce", b"Created")
        ]
        if not all(parts) or b"#PasswordDigest" not in body:
            return False
        user, digest, nonce, created = (part[1] for part in parts if part)
        raw = base64.b64decode(nonce)
        age = self._now() - datetime.fromisoformat(created.decode())
        expected = base64.b64encode(hashlib.sha1(raw + created + self.password.encode()).digest())
        fresh = raw not in self.nonces and abs(age.total_seconds()) <= _CREATED_WITHIN_SECONDS
        self.nonces.add(raw)
        return user.decode() == USER and digest == expected and fresh

    def _digest(self, head: str) -> bool:
        """HTTP Digest (RFC 2617, qop auth)."""
        line = next((word for word in head.split("\r\n") if word.lower().startswith("authorization: digest")), "")
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', line))
        if given.get("username") != USER:
            return False

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        secret, action = md5(f"{USER}:cam:{self.password}"), md5(f"POST:{head.split(' ')[1]}")
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth"
        return given["uri"] == head.split(" ")[1] and given["response"] == md5(f"{secret}:{middle}:{action}")


def http(body: bytes, status: int = 200, headers: str = "") -> bytes:
    """An HTTP answer."""
    start = f"HTTP/1.1 {status} X\r\nContent-Type: application/soap+xml; charset=utf-8\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return start.encode() + body


def soap(inner: str) -> bytes:
    """A SOAP answer."""
    return http(_ENVELOPE.format(body=inner).encode())


def fault(code: str, subcode: str, reason: str, status: int = 400) -> bytes:
    """A fault as in the ONVIF core specification, section 5.11.2."""
    inner = (
        f"<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:{code}</SOAP-ENV:Value><SOAP-ENV:Subcode>"
        f"<SOAP-ENV:Value>ter:{subcode}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code>"
        f'<SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{reason}</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>'
    )
    return http(_ENVELOPE.format(body=inner).encode(), status)


def drip(client: socket.socket, octets: bytes = b"HTTP/1.1 200 OK\r\nX: ", seconds: float = 30.0) -> None:
    """One octet after the other, for ever as far as the other side can tell."""
    client.recv(65_536)
    client.sendall(octets)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.sendall(b"x")
        time.sleep(0.1)


def _request(client: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65_536)
        if not more:
            return data.decode("latin-1"), b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += client.recv(65_536)
    return head.decode("latin-1"), body
