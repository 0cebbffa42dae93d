"""What serves a certificate by its key."""

import ssl
from pathlib import Path

from campus_base.messages import Message, message


class UnusablePair(ValueError):
    """A certificate and a key that cannot be served; `why` in words."""

    def __init__(self, why: Message) -> None:
        super().__init__(why.en)
        self.why = why


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A context for connections. Raises OSError, and UnusablePair for a key that is protected: nobody is asked for a pass phrase."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked = False

    def no_pass_phrase() -> str:  # without this OpenSSL asks on the terminal, and a service waits
        nonlocal asked
        asked = True
        return ""

    try:
        context.load_cert_chain(cert, key, password=no_pass_phrase)
    except OSError:
        if not asked:
            raise
        words = message("{key} has a pass phrase: write it without (openssl pkey -in {key} -out NEW)", key=key)
        raise UnusablePair(words) from None
    return context
