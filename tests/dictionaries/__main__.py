"""Trains a dictionary a kind, and says what it saves on results that it was not trained on.

.venv/bin/python -m campus_collector simulate --schools 10 --state-dir DIR    # of any release
.venv/bin/python -m tests.dictionaries DIR --first 12 --kinds service,host    # writes service.12.zdict and host.13.zdict

Then the printed lines are added to DICTIONARIES in packing.py, below the old ones, which stay for ever.
"""

import argparse
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from random import Random

import zstandard

from campus_collector.store.packing import ANY, LEVEL
from tests.dictionaries.samples import invented, simulated

SIZE_BYTES = 16_384
"""Twice and four times as much saves nothing more."""
SAMPLES = 4000
SEED = 1


def main() -> None:
    """Train, write, and print the lines for DICTIONARIES."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state_dir", type=Path, help="of a simulated county")
    parser.add_argument("--first", type=int, required=True, help="the first number that no dictionary has")
    parser.add_argument("--kinds", default="", help="with commas between; all when absent")
    arguments = parser.parse_args()
    samples = read(arguments.state_dir, SEED)
    folder = Path(str(files("campus_collector.store"))) / "dictionaries"
    kinds = arguments.kinds.split(",") if arguments.kinds else [*sorted(samples), ANY]
    for number, kind in enumerate(kinds, arguments.first):
        content = train(samples, kind)
        path = folder / f"{kind}.{number}.zdict"
        with path.open("xb") as file:  # what is there already is never written again
            file.write(content)
        print(f'    Dictionary({number}, "{kind}", "{sha256(content).hexdigest()}"),')


def read(state_dir: Path, seed: int) -> dict[str, list[bytes]]:
    """Results by kind."""
    random = Random(seed)
    samples: dict[str, list[bytes]] = {}
    for kind, raw in (*simulated(state_dir, random, SAMPLES), *invented(random, SAMPLES)):
        samples.setdefault(kind, []).append(raw)
    return samples


def train(samples: dict[str, list[bytes]], kind: str) -> bytes:
    """The dictionary of one kind; ANY is trained on some of each."""
    chosen = samples[kind] if kind != ANY else [raw for of_kind in samples.values() for raw in of_kind[: SAMPLES // 8]]
    return zstandard.train_dictionary(SIZE_BYTES, chosen, level=LEVEL).as_bytes()


if __name__ == "__main__":
    main()
