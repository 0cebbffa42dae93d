"""Notifies systemd (sd_notify(3)); without NOTIFY_SOCKET nothing is sent."""

import os
import socket


def send(message: str) -> None:
    """One notification, for example READY=1."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(message.encode(), address)
        except OSError:  # the supervisor went away: nothing we could do for it
            return
