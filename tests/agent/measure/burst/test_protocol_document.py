"""docs/pages/en/protocol.md says what the code does."""

import re
from pathlib import Path

from campus_agent.measure.burst import spec
from campus_agent.measure.burst.protocol.control import proof
from campus_agent.measure.burst.protocol.messages import Challenge, Hello, Prove, decode, encode

ROOT = Path(__file__).parents[4]
DOCUMENT = (ROOT / "docs/pages/en/protocol.md").read_text(encoding="utf-8")


def _examples() -> list[str]:
    block = re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block
    return block[1].splitlines()


def test_every_example_is_a_message_as_it_travels() -> None:
    assert [encode(decode(line.encode())).decode() for line in _examples()] == _examples()


def test_every_message_has_an_example() -> None:
    from campus_agent.measure.burst.protocol import messages

    assert {type(decode(line.encode())) for line in _examples()} == set(messages.Message.__args__)


def test_the_proof_in_the_example_is_right() -> None:
    hello, challenge, prove = (decode(line.encode()) for line in _examples()[:3])
    assert isinstance(hello, Hello)
    assert isinstance(challenge, Challenge)
    assert prove == Prove(proof(b"a shared test key", hello, challenge))


def test_the_figures_are_those_of_the_code() -> None:
    flat = " ".join(DOCUMENT.split())
    for words in (
        f"{spec.DEFAULT_PORT} by default",
        f"{spec.MAX_GREETING_BYTES} before sealing; {spec.MAX_REQUEST_BYTES} from a client",
        f"{spec.MAX_REPORT_BYTES:_}".replace("_", " ") + " from a responder",
        f"prove` {spec.HANDSHAKE_SECONDS:.0f} seconds are allowed. At most {spec.MAX_PENDING_CONNECTIONS} connections",
        f"{spec.OFFERED_RATIO} times the target for {spec.BURST_SECONDS * 1000:.0f} ms",
        f"at most {spec.MAX_BATCH_PACKETS} packets",
        f"for {spec.QUIET_SECONDS * 1000:.0f} ms after its planned end",
        f"more than {spec.MAX_REPORT_ROWS} packets",
        f"at least {spec.WAITING_SECONDS * 1000:.1f} ms before",
        f"{spec.MIN_WINDOW_SECONDS * 1000:.0f} ms and {spec.MIN_WINDOW_PACKETS} packets long",
        f"{spec.CHUNKS} chunks; those within {spec.NEAR_RATIO:.0%}".replace("%", " %"),
        f"more than {spec.POLICED_LOSS_RATIO * 100:.1f} % of the second half",
        f"less than {spec.STARVED_RATIO} times the threshold",
        f"differ by more than {spec.UNSTEADY_RATIO * 100:.0f} %",
        f"{spec.ATTRIBUTION_RATIO * 100:.0f} % of the target, and {spec.ATTRIBUTION_PACKETS} packets",
        f">= {spec.CERTAIN_SIGMAS} e",
        f"nearer than {spec.CLEAR_RATIO * 100:.0f} % of the target",
        f"After {spec.MAX_BURSTS} sound pulses, or {spec.max_ordered_bursts(1e8)} in all ({spec.max_ordered_bursts(1e9)} above",
        f"the bias of blocks ({spec.BLOCK_BIAS_RATIO * 100:.1f} %)",
        f"{spec.bucket_offered_ratio(1e8):.0f} times the target ({spec.bucket_offered_ratio(1e9)} times above 300 Mbit/s)",
        f"{spec.BUCKET_PROOF_RATIO} buckets more",
        f"at most {spec.BUCKET_COST_RATIO:.0f} buckets",
        f"{spec.bucket_bytes(1e8) // 10**6} MB ({spec.bucket_bytes(1e9) // 10**6} MB above 300 Mbit/s)",
    ):
        assert words in flat, words


def test_the_sections_that_the_code_names_are_there_and_about_that() -> None:
    headings = dict(re.findall(r"^#+ ([0-9.]+?)\.? (.*)$", DOCUMENT, re.MULTILINE))
    subjects = {
        "messages": "Control connection",
        "control": "Control connection",
        "datagram": "Test packets",
        "burst_rate": "What a pulse says",
        "stream_rate": "Streams",
    }
    named = {
        path.stem: match[1]
        for path in (ROOT / "agent/campus_agent/measure/burst").rglob("*.py")
        if (match := re.search(r"protocol\.md, (?:section )?([0-9.]+)\)", path.read_text(encoding="utf-8")))
    }
    assert {name: headings[section] for name, section in named.items()} == subjects
