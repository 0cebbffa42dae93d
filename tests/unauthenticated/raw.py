"""Requests octet by octet, as no HTTP library would send them."""

import socket
import ssl
from pathlib import Path


def connect(port: int, ca: Path | None = None, address: str = "127.0.0.1") -> socket.socket:
    """A connection, with TLS where a certificate is given."""
    plain = socket.create_connection((address, port), timeout=60)
    if ca is None:
        return plain
    context = ssl.create_default_context(cafile=str(ca))
    return context.wrap_socket(plain, server_hostname="localhost")


def ask(port: int, request: bytes, ca: Path | None = None) -> tuple[int, bytes]:
    """The status (0: hung up without a word) and everything that came."""
    with connect(port, ca) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                if b"\r\n\r\n" in answer and _whole(answer):
                    break
        except ConnectionError:
            pass
    status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
    return status, answer


def get(path: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    """A GET that ends its connection."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return False
