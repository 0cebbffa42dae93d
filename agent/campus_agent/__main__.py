"""`python -m campus_agent` is `campus-agent`."""

import sys

from campus_agent.cli.main import main

sys.exit(main())
