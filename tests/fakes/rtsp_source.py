"""A real RTSP server for tests: GStreamer's, with a test picture (H.264) and tone (PCMU or AAC). Run by Debian's own Python, which has its bindings.

    /usr/bin/python3 rtsp_source.py PORT [open|basic|digest] [ADDRESS] [any|udp] [pcmu|aac]

User `monitor`, password `secret-of-the-stream`.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = (
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 ! rtph264pay name=pay0 pt=96"
)
SOUND = {
    "pcmu": "audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! mulawenc ! rtppcmupay name=pay1",
    "aac": "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1 ! voaacenc ! rtpmp4gpay name=pay1 pt=97",
}
ROLE = "viewer"


def main(
    port: str, mode: str = "open", address: str = "127.0.0.1", transports: str = "any", sound: str = "pcmu"
) -> None:
    """Serve until ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {PICTURE} {SOUND[sound]} )")
    if transports == "udp":
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    factory.set_shared(True)
    if mode in ("basic", "digest"):
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", ROLE)
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST if mode == "digest" else GstRtsp.RTSPAuthMethod.BASIC)
        if mode == "digest":
            auth.add_digest("monitor", "secret-of-the-stream", token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic("monitor", "secret-of-the-stream"), token)
        server.set_auth(auth)
        allowed = GstRtspServer.RTSPPermissions()
        allowed.add_role(ROLE)
        allowed.add_permission_for_role(ROLE, "media.factory.access", True)
        allowed.add_permission_for_role(ROLE, "media.factory.construct", True)
        factory.set_permissions(allowed)
    server.get_mount_points().add_factory("/live/1", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
