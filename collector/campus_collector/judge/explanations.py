"""What each cause means, what to do about it, and who has to: in both languages, for pages, ledger and reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from campus_base.language import Language
from campus_base.messages import Message, message, verbatim

Unit = Literal["school", "carrier", "integrator", "platform", "bureau"]
UNIT_WORDS: dict[str, Message] = {
    "": verbatim("—"),
    "school": message("the school"),
    "carrier": message("the carrier"),
    "integrator": message("who maintains the campus network"),
    "platform": message("who runs the platform"),
    "bureau": message("the education bureau"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`advice` can be followed without a command; `technical` is for IT staff."""

    what: Message
    advice: Message
    unit: Unit | Literal[""]
    technical: Message | None = None


def _e(unit: Unit | Literal[""], text: Message, advice: Message, technical: Message | None = None) -> Explanation:
    return Explanation(text, advice, unit, technical)


_CHECK_GATEWAY = message("check power and network cable of the gateway; if that does not help, call the bureau")
_ASK_GATEWAY = message("on the gateway run `campus-agent doctor`, and do what it says")


EXPLANATIONS: dict[str, Explanation] = {
    "": _e("", verbatim(""), verbatim("")),
    "no_report": _e(
        "school",
        message("no result has arrived"),
        _CHECK_GATEWAY,
        _ASK_GATEWAY,
    ),
    "endpoint_off": _e(
        "school",
        message("the classroom machine was not reachable at the times of the tests: switched off or unplugged"),
        message("switch the classroom machine on for one lesson, check its network cable, or correct its address"),
    ),
    "endpoint_name": _e(
        "bureau",
        message("the endpoint's name is not resolved: check `host`"),
        message("correct the address of the classroom in the inventory"),
    ),
    "endpoint_silent": _e(
        "school",
        message("the endpoint accepts connections, then says nothing: its test service hangs"),
        message("restart the test service on the classroom machine"),
    ),
    "endpoint_not_running": _e(
        "school",
        message("the machine is on, but its test service is not running"),
        message("ask who maintains the campus network to start the test service, and to let it start by itself"),
        message("on the classroom machine run `campus-agent respond` or `iperf3 -s` as a service"),
    ),
    "endpoint_weak": _e(
        "school",
        message("the classroom machine itself is too slow to be tested"),
        message("test with another machine, or close what runs on it"),
    ),
    "gateway_busy": _e(
        "school",
        message("the gateway was too busy to measure"),
        message("find what loads the gateway, or use a stronger one"),
    ),
    "gateway_port": _e(
        "integrator",
        message("the gateway's own port is slower than the target"),
        message("connect the gateway by a gigabit port and a Cat 5e cable or better"),
    ),
    "cross_traffic": _e(
        "school",
        message("other traffic was too high to measure"),
        message("find out which traffic fills the line at the times of the tests"),
    ),
    "port_speed_10": _e(
        "integrator",
        message("the tests that fell short were flat at about 10 Mbit/s: a port negotiated 10 Mbit/s"),
        message("replace the cable (two of four pairs broken is typical), set both ends to auto-negotiation"),
    ),
    "port_speed_100": _e(
        "integrator",
        message("the tests that fell short were flat at about 100 Mbit/s: a port negotiated 100 Mbit/s"),
        message("use a gigabit port and a cable with all four pairs; check each device between"),
    ),
    "half_duplex": _e(
        "integrator",
        message("the port runs at half duplex: one end is not set to auto-negotiation"),
        message("set both ends of the cable to auto-negotiation"),
    ),
    "cable_errors": _e(
        "integrator",
        message("the port counts frames with errors: cable or plug"),
        message("re-crimp or replace the cable; then watch whether the error counter stands still"),
    ),
    "flat_rate": _e(
        "carrier",
        message("the tests that fell short had about the same rate: looks like a rate limit"),
        message("look for a rate limit on the switch or the contract, and have it raised"),
    ),
    "shaped": _e(
        "carrier",
        message("fast at first, then held at a lower rate: the line is shaped"),
        message("show the evidence to whoever runs the line; the contracted rate must hold, not only its first second"),
    ),
    "overloaded_line": _e(
        "carrier",
        message("in the tests that fell short round trips grow long: the line is overloaded"),
        message("find out who shares the line and have it widened"),
    ),
    "wireless_or_cable": _e(
        "integrator",
        message("jitter or loss even when idle, and a rate that changes: Wi-Fi or a bad cable"),
        message("connect the classroom machine by cable; then check plugs and cable"),
    ),
    "unstable_rate": _e(
        "integrator",
        message("the rate changes from test to test: cable, Wi-Fi or shared line"),
        message("compare quiet and busy hours; check the cable and what else uses the line"),
    ),
    "uplink_bottleneck": _e(
        "carrier",
        message("the classrooms fall short at the rate of the school's uplink"),
        message("mend the uplink first; the classrooms follow"),
    ),
    "shared_bottleneck": _e(
        "integrator",
        message("the classrooms fall short in the same way: what they share is the bottleneck"),
        message("check the gateway's port and the core switch before any classroom"),
    ),
    "agent_silent": _e(
        "school",
        message("no results of the classrooms have arrived from the school's gateway"),
        _CHECK_GATEWAY,
        _ASK_GATEWAY,
    ),
    "all_endpoints_off": _e(
        "school",
        message("the school's classroom machines were not reachable at the times of the tests"),
        message("check the switch between gateway and classrooms; have the machines on during one lesson"),
    ),
    "name_resolution": _e(
        "carrier",
        message("the platform's name is not resolved"),
        message("check the DNS servers the school uses"),
    ),
    "unreachable": _e(
        "carrier",
        message("the platform is not reached"),
        message("check the line and the firewall; ask other schools whether they reach it"),
    ),
    "certificate": _e(
        "platform",
        message("the platform's certificate is refused"),
        message("tell the platform's operator; also check the clock of the gateway"),
    ),
    "intercepted": _e(
        "school",
        message("something else than the platform answers, such as a log-in page of the network"),
        message(
            "let the gateway through without a log-in; if the platform itself leads elsewhere, fill in"
            " expect_status or expect_text in the inventory"
        ),
    ),
    "slow_answer": _e(
        "platform",
        message("the platform's first byte comes too late"),
        message("compare schools: if all are slow it is the platform, else the school's line"),
    ),
    "server_error": _e(
        "platform",
        message("the platform answers with an error"),
        message("tell the platform's operator"),
    ),
    "room_down": _e(
        "school",
        message("a required device of each room was down too often"),
        message("switch the devices on in school hours; mend the one that is named"),
    ),
    "delay_under_load": _e(
        "carrier",
        message("round trips grow too long when the line is full"),
        message("have queues shortened on the school's router (fair queueing), or the line widened"),
    ),
    "delay_idle": _e(
        "carrier",
        message("round trips, jitter or loss are too high even when idle"),
        message("show the evidence to the carrier: the line itself is at fault"),
    ),
    "line_interrupted": _e(
        "carrier",
        message("the line was interrupted for a second or more during lessons"),
        message("show the carrier the list of interruptions: each has its time and its direction"),
    ),
    "lost_in_lessons": _e(
        "carrier",
        message("packets were lost on the line during lessons"),
        message("show the carrier the minutes with losses; first check whether the school itself fills its line then"),
    ),
    "late_in_lessons": _e(
        "carrier",
        message("round trips were too long or too uneven during lessons"),
        message(
            "find out what fills the line during lessons; have queues shortened (fair queueing) or the line widened"
        ),
    ),
    "lan_interrupted": _e(
        "integrator",
        message("the school's own network was interrupted during lessons: no recorder answered"),
        message("check the switch and the cable between the gateway and the recording room"),
    ),
    "recorder_interrupted": _e(
        "school",
        message("a recorder did not answer during lessons"),
        message("check power and network cable of the recorder; it may simply have been switched off"),
    ),
    "gateway_off_in_lessons": _e(
        "school",
        message("the gateway was off or too busy during lessons"),
        message("keep the gateway switched on in school hours, and find what loads it"),
    ),
    "collector_off_in_lessons": _e(
        "bureau",
        message("the bureau's test server did not answer during lessons"),
        message("keep the bureau's test server running in school hours"),
    ),
    "no_lesson_stream": _e(
        "bureau",
        message("no minute of a lesson was reported"),
        message(
            "check that the gateway reports, that its program is the newest, and that the lesson stream is switched on"
        ),
        message("on the gateway run `campus-agent doctor`; `[lesson_stream] enabled` in agent.toml"),
    ),
    "skipped": _e(
        "bureau",
        message("tests were planned but not made: no free time or no bytes left"),
        message("give the gateway more free time or a larger daily budget"),
    ),
    "too_few": _e(
        "bureau",
        message("too few valid results so far"),
        message("wait for the rest of the month, or have more tests made"),
    ),
    "too_few_days": _e(
        "bureau",
        message("valid results on too few days so far"),
        message("wait for the rest of the month"),
    ),
    "unknown": _e(
        "bureau",
        message("cause unknown"),
        message("look at the results one by one"),
    ),
}


def technical_words(codes: Iterable[str], language: Language) -> list[str]:
    """What IT staff do about these causes, each sentence once."""
    hints = (EXPLANATIONS[code].technical for code in codes)
    return list(dict.fromkeys(hint.in_(language) for hint in hints if hint is not None))


CAUSE_WORDS: dict[str, Message] = {code: explanation.what for code, explanation in EXPLANATIONS.items()}
