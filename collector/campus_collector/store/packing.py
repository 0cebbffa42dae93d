"""Results in few bytes: compressed with a dictionary of their kind, and given back octet for octet.

The first octet of a packed result is the number of its dictionary; 0: what follows is the result as it came. Then comes a Zstandard frame
(RFC 8878) without its magic number. Dictionaries are files of this package, `dictionaries/KIND.NUMBER.zdict`: new ones are added
(`python -m tests.dictionaries`), and what was released never changes, because stored results cannot be read without it.
"""

import threading
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

import zstandard

from campus_wire.codec import MAX_BODY_BYTES

MAX_UNPACKED_BYTES = MAX_BODY_BYTES
"""No result is larger; a row that claims more is damaged, and nothing is reserved for it."""
LEVEL = 3
"""6 and 9 save at most 3 % and take four and ten times as long."""
HASH_LOG, CHAIN_LOG = 13, 12
"""Tables for a result of a few kilobytes instead of a stream: of all kinds together they fit into the processor's cache. 0.4 % larger, a third faster."""
WINDOW_LOG = 19
"""The largest result that is accepted, and its dictionary."""
PLAIN = 0
JSON_BEGINS = ord("{")
"""No dictionary has this number: a result that was stored before there was any begins so."""
_MAGIC = b"\x28\xb5\x2f\xfd"
ANY = "any"
"""The kind of the dictionary for results of kinds that have none."""


class Dictionary(NamedTuple):
    """A dictionary that is shipped: its number, the kind of results it was trained on, the SHA-256 of its file."""

    number: int
    kind: str
    sha256: str


DICTIONARIES = (
    Dictionary(1, "device", "1f541795e58dfb3556e85a93f630c3b0a67820d1e190193a9ee97b81ef5163b1"),
    Dictionary(2, "host", "72f29b30c9ef0b76ce8a762aa9dcc7ba39a8cf0db67e14a3844319c4be88537e"),
    Dictionary(3, "inspection", "aef7d58d7553864cc4daade12b76c31d9099b047d03c89f4905892a22cdfb2f9"),
    Dictionary(4, "latency", "a7c37c639cadf858cb99322f08fc8dd0de72feaf95f506e6b0b86e0932a0907a"),
    Dictionary(5, "network", "ca2365ea5cd42d82635cccae92631e3d37a5dff395e22da3adc4f39b16a862bc"),
    Dictionary(6, "port", "d0de2ec5448b56785304a5700506354d135b21c1ebe9a9c7df128086307f6d7f"),
    Dictionary(7, "room", "478c264455625882016f3178c7bea3a1c9b4719cf0db02e8f9af9d55caac41f7"),
    Dictionary(8, "service", "496d293a3065de53af507aa51edf5ac8b7608ce3c7ee9177437447fc70d2fc80"),
    Dictionary(9, "throughput", "e997b9a0c3db1c27f489a028127c2be2929dac501b8625f4243cfd6556891e50"),
    Dictionary(10, "any", "32184ace1a9bff1e6cba89f3b8d10a7b8b9581edc22b81ce3f676cdf30a9d15e"),
    Dictionary(11, "lesson_stream", "6a36ec606171a3045949111d56e8233908bcabddc6ff25faffe36f88d9b04dd9"),
    Dictionary(12, "interruption", "aa86746429fa6ec4a746252b712e989220d6f8176c0d7aaf15aaba43c69dae1b"),
)
"""Of several of one kind the last one packs; all of them unpack."""


_of_thread = threading.local()
"""A compressor, and a decompressor, serves one thread at a time."""


class DamagedResult(ValueError):
    """A packed result that cannot be unpacked; the text says why."""


def pack(kind: str, raw: bytes) -> bytes:
    """Any bytes, as they are stored; fewer when they look like a result of this kind."""
    if len(raw) <= MAX_UNPACKED_BYTES:
        packer = _packer(kind)
        packed = packer.prefix + packer.compressor.compress(raw)[len(_MAGIC) :]
        if len(packed) <= len(raw):
            return packed
    return bytes([PLAIN]) + raw


def unpack(packed: bytes) -> bytes:
    """The bytes that were packed. Raises DamagedResult."""
    try:
        unpacker = _of_thread.unpackers[packed[0]]
        frame = _MAGIC + packed[1:]
        if packed[1] not in _SMALL_FRAMES:
            _check_size(frame)
        raw: bytes = unpacker.decompress(frame, allow_extra_data=False)
    except (AttributeError, KeyError, IndexError):
        return _unpack_other(packed)
    except zstandard.ZstdError as error:
        raise DamagedResult(str(error)) from None
    return raw


def _unpack_other(packed: bytes | str) -> bytes:
    """What is not compressed, or text since an edit by hand, and what this thread has no decompressor for yet. Raises DamagedResult."""
    if isinstance(packed, str):
        return unpack(packed.encode(errors="surrogatepass"))
    if len(packed) == 0:
        raise DamagedResult("it is empty")
    number = packed[0]
    if number == PLAIN:
        return packed[1:]
    if number == JSON_BEGINS:
        return packed
    if len(packed) == 1:
        raise DamagedResult("nothing follows the number of its dictionary")
    unpackers = _of_thread.__dict__.setdefault("unpackers", {})
    unpackers[number] = zstandard.ZstdDecompressor(dict_data=_content(number))
    return unpack(packed)


_SMALL_FRAMES = frozenset({0x20, 0x60})
"""Frame headers of a single segment with a size of one octet or two: at most 65 791 bytes. All others say more (RFC 8878, 3.1.1.1)."""


def _check_size(frame: bytes) -> None:
    size = zstandard.frame_content_size(frame)
    if not 0 <= size <= MAX_UNPACKED_BYTES:
        raise DamagedResult(f"its size would be {size} bytes")


class _Packer(NamedTuple):
    prefix: bytes
    compressor: zstandard.ZstdCompressor


def _packer(kind: str) -> _Packer:
    packers: dict[str, _Packer] = _of_thread.__dict__.setdefault("packers", {})
    if kind not in packers:
        numbers = _newest_numbers()
        # one packer for all kinds without a dictionary: whatever kinds come, no more are kept
        known = kind if kind in numbers else ANY
        if known not in packers:
            number = numbers[known]
            compressor = zstandard.ZstdCompressor(compression_params=_parameters(), dict_data=_content(number))
            packers[known] = _Packer(bytes([number]), compressor)
        return packers[known]
    return packers[kind]


@cache
def _parameters() -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        window_log=WINDOW_LOG,
        hash_log=HASH_LOG,
        chain_log=CHAIN_LOG,
        write_dict_id=False,
        write_checksum=False,
    )


@cache
def _newest_numbers() -> dict[str, int]:
    return {dictionary.kind: dictionary.number for dictionary in DICTIONARIES}


@cache
def _content(number: int) -> zstandard.ZstdCompressionDict:
    """Raises DamagedResult for a number that this program does not have, and for a file that was changed."""
    known = next((dictionary for dictionary in DICTIONARIES if dictionary.number == number), None)
    if known is None:
        raise DamagedResult(f"its dictionary {number} is not known: a newer collector stored it, or it is damaged")
    content = dictionary_file(known).read_bytes()
    if sha256(content).hexdigest() != known.sha256:
        raise DamagedResult(f"the file of dictionary {number} ({known.kind}) is not as it was released")
    dictionary = zstandard.ZstdCompressionDict(content)
    dictionary.precompute_compress(compression_params=_parameters())
    return dictionary


def dictionary_file(dictionary: Dictionary) -> Traversable:
    """Where its file is in the package."""
    return files("campus_collector.store") / "dictionaries" / f"{dictionary.kind}.{dictionary.number}.zdict"
