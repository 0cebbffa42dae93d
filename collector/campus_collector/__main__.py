"""`python -m campus_collector` is `campus-collector`."""

import sys

from campus_collector.cli.main import main

sys.exit(main())
