"""A FAKE browser: the classroom's page by plain HTTP, in the order of the page's script. `python -m tests.packaging.browser HOST PORT`; prints the answer.

A real Chromium goes through the page in tests/lab/test_page.py; here only the unit's sandbox around the page is in question.
"""

import contextlib
import http.client
import json
import sys
import time

TRIES, TRY_AGAIN_SECONDS = 12, 20
HEADERS = {"X-CampusMeter": "1", "User-Agent": "Mozilla/5.0 test"}


def main(host: str, port: str) -> None:
    """Begin, ping, load down and up, finish."""

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        line = http.client.HTTPConnection(host, int(port), timeout=60)
        with contextlib.closing(line):
            line.request(method, path, body, HEADERS)
            answer = line.getresponse()
            octets = 0
            kept = b""
            while piece := answer.read(1 << 20):
                octets += len(piece)
                kept = piece if octets < 100_000 else b""
            return answer.status, kept

    def begin() -> tuple[int, bytes]:
        return ask("POST", "/begin", json.dumps({"room": "c101"}).encode())

    status, body = begin()
    for _ in range(TRIES):
        if status == 200:
            break
        time.sleep(TRY_AGAIN_SECONDS)  # "please try again in a minute": another test runs, or the gateway is busy
        status, body = begin()
    assert status == 200, body
    trial = json.loads(body)["trial"]
    for _ in range(3):
        ask("GET", f"/ping?trial={trial}")
    ask("GET", f"/down?trial={trial}")
    with contextlib.suppress(OSError, http.client.HTTPException):  # the gateway ends a load by hanging up
        ask("POST", f"/up?trial={trial}", b"x" * 60_000_000)
    status, body = ask("POST", "/finish", json.dumps({"trial": trial}).encode())
    assert status == 200, body
    print(body.decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
