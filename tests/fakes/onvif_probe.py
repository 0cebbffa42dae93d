"""A FAKE camera for tests (no ONVIF peer can be had from the registries): answers WS-Discovery probes in the shape of the ONVIF core
specification, section 7.3, and takes connections on port 554. `python -m tests.fakes.onvif_probe ADDRESS`.
"""

import re
import socket
import sys
import threading

GROUP, PORT = "239.255.255.250", 3702
ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">
<s:Header><a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>
<d:Types>dn:NetworkVideoTransmitter</d:Types>
<d:Scopes>onvif://www.onvif.org/name/LessonCam onvif://www.onvif.org/hardware/LC-200 onvif://www.onvif.org/location/r1</d:Scopes>
<d:XAddrs>http://{address}/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>
</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"""


def main(address: str) -> None:
    """Answer until ended."""
    rtsp = socket.create_server((address, 554))
    threading.Thread(target=lambda: [rtsp.accept()[0].close() for _ in iter(int, 1)], daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", PORT))
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(address)
        )
        print("ready", flush=True)
        while True:
            asked, peer = sock.recvfrom(65_536)
            message = re.search(rb"<a:MessageID>([^<]+)<", asked)
            if b"Probe" in asked and message:
                sock.sendto(ANSWER.format(message=message[1].decode(), address=address).encode(), peer)


if __name__ == "__main__":
    main(sys.argv[1])
