"""What does packing save, and what does it take? Invented results as gateways send them, and those of a simulated county if there is one.

.venv/bin/python -m tests.bench.packing
.venv/bin/python -m tests.bench.packing --state-dir DIR    # of `campus-collector simulate`
"""

import argparse
import time
from pathlib import Path
from random import Random
from statistics import mean

from campus_collector.store.packing import pack, unpack
from tests.dictionaries.samples import invented, simulated

SAMPLES = 1000


def main() -> None:
    """Print the figures, kind by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state-dir", type=Path)
    arguments = parser.parse_args()
    sources = {"invented": list(invented(Random(11), SAMPLES))}
    if arguments.state_dir is not None:
        sources["simulated, half with real ids"] = list(simulated(arguments.state_dir, Random(11), SAMPLES))
    for source, samples in sources.items():
        print(source)
        for kind in sorted({kind for kind, _ in samples}):
            measure(kind, [raw for of, raw in samples if of == kind])


def measure(kind: str, raws: list[bytes]) -> None:
    """One line: octets before and after, microseconds of CPU a result."""
    pack(kind, raws[0])
    began = time.process_time()
    packed = [pack(kind, raw) for raw in raws]
    between = time.process_time()
    back = [unpack(row) for row in packed]
    ended = time.process_time()
    assert back == raws
    into, out = ((after - before) / len(raws) * 1e6 for before, after in ((began, between), (between, ended)))
    print(
        f"  {kind:11} {mean(map(len, raws)):6.0f} -> {mean(map(len, packed)):4.0f} octets; {into:4.1f} us in, {out:4.1f} us out"
    )


if __name__ == "__main__":
    main()
