"""What is logged where nothing can be written."""

import subprocess
import sys
from pathlib import Path


def test_a_log_that_cannot_be_written_is_lost_quietly(tmp_path: Path) -> None:
    program = (
        "import io, logging, sys; from campus_base.logs import configure_logging\n"
        "full = open('/dev/full', 'w')\n"
        "configure_logging(full); logging.getLogger('a').error('x')\n"
        "print('alive'); sys.stdout.flush(); import os; os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("alive\n", "")
