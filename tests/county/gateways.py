"""`python -m tests.county.gateways CONFIG SCHOOLS CLASSROOMS NOW`: all gateways of the county in one process.

Writes the name of each month when its results are stored and judged, then reports every few minutes that the gateways are up, until it is ended.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from campus_collector.config import load_config
from campus_collector.http.service import open_service
from tests.county.year import Gateways, months_until

REPORT_SECONDS = 300.0


def main(config: str, schools: str, classrooms: str, at: str) -> None:
    service, now = open_service(load_config(Path(config), None)), datetime.fromisoformat(at)
    gateways = Gateways(service, int(schools), float(classrooms), now)
    for month in months_until(now, service.config.timezone):
        gateways.send(month)
        print(month, gateways.results, flush=True)
    while True:
        gateways.report(datetime.now(UTC))
        time.sleep(REPORT_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
