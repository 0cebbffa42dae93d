"""`campus-agent page`: serve the classroom's page until stopped. A separate process: what the school's network can reach holds no raw socket's right."""

import ctypes
import logging
import os
import signal
import threading
from typing import Any

from campus_agent.config.model import AgentConfig
from campus_agent.measure.browser.messages import socket_path
from campus_agent.page.admission import Admission
from campus_agent.page.agent_socket import listen_for_agent
from campus_agent.page.server import PageServer

log = logging.getLogger(__name__)
CHILD = "_CAMPUS_PAGE_CHILD"
"""Set by the agent for the process it starts."""
_PR_SET_PDEATHSIG = 1


def serve(config: AgentConfig) -> None:
    """Until SIGTERM or SIGINT. Raises OSError when it cannot listen."""
    _end_with_parent()
    admission = Admission(config)
    server = PageServer(admission, config.page.listen, config.page.port)
    host, port = server.server_address[:2]
    for_agent = listen_for_agent(socket_path(config.state_dir), admission.carried)
    log.info("classroom page", extra={"listen": str(host), "port": port, "classrooms": len(config.classrooms)})

    def stop(*_: Any) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        server.serve_forever(poll_interval=0.5)
    finally:
        server.server_close()
        if for_agent is not None:
            for_agent.shutdown()
            for_agent.server_close()
        admission.close()


def _end_with_parent() -> None:
    """A page whose agent was killed must not go on alone (prctl(2))."""
    if os.environ.get(CHILD):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.environ[CHILD] != str(os.getppid()):  # it was gone before we asked
            raise SystemExit(0)
