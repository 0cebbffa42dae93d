"""`campus-agent measure`: one measurement now, of a classroom, the uplink, a device, a switch port or a platform."""

import argparse
import asyncio

from campus_agent.cli import answer
from campus_agent.cli.common import EXIT_NOT_MEASURED, EXIT_NOT_MET, config_option, json_option
from campus_agent.cli.measure_now import measure_now, poll_now, port_now
from campus_agent.cli.progress import ProgressBar
from campus_agent.config.model import AgentConfig, Device, Endpoint, Service
from campus_agent.config.read import load_config
from campus_agent.measure.probes.ports import switches_of
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_wire.verdicts import verdict_of_measurement

EPILOG = message(
    "Examples: campus-agent measure classroom c101 --json\n"
    "          campus-agent measure uplink\n"
    "          campus-agent measure uplink --reference\n"
    "          campus-agent measure device rec-1\n"
    "          campus-agent measure service smartedu-cn\n"
    "Exit codes: 0 met, 1 not met, 2 usage or configuration, 3 could not be measured."
)
SUBJECTS = {
    "classroom": message("a classroom against 100 Mbit/s"),
    "uplink": message("the school's line to the bureau"),
    "device": message("a device of a recording room"),
    "port": message("a classroom's switch port, as the switch tells it"),
    "service": message("a cloud platform, step by step"),
}
REFERENCE = message("as an auditor would: iperf3, TCP, 10 s (many more bytes)")
PORT_NOT_FOUND = message(
    "{id}: none of the switches asked ({switches}) knows its port: the gateway has not seen its"
    " machine (is it switched on, and on the gateway's own network?), or only ports that lead to"
    " other switches know its address. `switch` and `switch_port` of the classroom name it."
)
NO_SWITCH = message(
    "{id}: no switch knows its port. A [[device]] of profile switch-generic with `snmp` is needed;"
    " it finds the port by LLDP or the forwarding table, or `switch` and `switch_port` of the"
    " classroom name it."
)


def register(parser: CommandParser) -> None:
    parser.epilog = parser.words(EPILOG)
    subjects = parser.add_subparsers(required=True, metavar=parser.words(message("WHAT")), dest="what")
    for what, text in SUBJECTS.items():
        words = parser.words(text)
        subject: CommandParser = subjects.add_parser(what, language=parser.language, help=words, description=words)
        config_option(subject)
        json_option(subject)
        if what in ("classroom", "uplink"):
            subject.add_argument("--reference", action="store_true", help=parser.words(REFERENCE))
        if what != "uplink":
            text = message("its id in the configuration")
            subject.add_argument("id", metavar="ID", help=parser.words(text))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    config = load_config(arguments.config)
    if arguments.what == "uplink":
        if config.uplink is None:
            return failed(EXIT_USAGE, message("no [uplink] in the configuration").in_(language))
        return _measure(config, config.uplink, arguments, language)
    subjects = _subjects(config, arguments.what)
    subject = subjects.get(arguments.id)
    if subject is None:
        text = message("no {what} '{id}' in {file}; known: {known}")
        values = {"what": arguments.what, "id": arguments.id, "file": arguments.config}
        return failed(EXIT_USAGE, text.in_(language, **values, known=", ".join(subjects) or "-"))
    if arguments.what == "port" and isinstance(subject, Endpoint):
        return _measure_port(config, subject, arguments, language)
    if isinstance(subject, Device):
        return _measure_device(config, subject, arguments, language)
    return _measure(config, subject, arguments, language)


def _subjects(config: AgentConfig, what: str) -> dict[str, Endpoint | Service | Device]:
    """What the configuration holds of a kind, by id."""
    uplink = (config.uplink,) if config.uplink else ()
    subjects: dict[str, tuple[Endpoint | Service | Device, ...]] = {
        "classroom": config.classrooms,
        "service": config.services,
        "device": config.devices,
        "port": (*config.classrooms, *uplink),
    }
    return {subject.id: subject for subject in subjects[what]}


def _measure(
    config: AgentConfig, subject: Endpoint | Service, arguments: argparse.Namespace, language: Language
) -> int:
    required = subject.required_bits_per_second if isinstance(subject, Endpoint) else None
    progress = ProgressBar(required, language)
    result = asyncio.run(measure_now(config, subject, progress, reference=getattr(arguments, "reference", False)))
    progress.done()
    if arguments.json:
        print(json_line(answer.as_json(result, subject)))
    else:
        print(answer.in_words(result, language, required))
    return answer.EXIT_CODES[verdict_of_measurement(result)]


def _measure_device(config: AgentConfig, device: Device, arguments: argparse.Namespace, language: Language) -> int:
    state = answer.device_json(asyncio.run(poll_now(config, device)), device)
    print(json_line(state) if arguments.json else answer.device_words(state, language))
    if state["validity"] != "ok":
        return EXIT_NOT_MEASURED
    return EXIT_OK if state["up"] else EXIT_NOT_MET


def _measure_port(config: AgentConfig, endpoint: Endpoint, arguments: argparse.Namespace, language: Language) -> int:
    result = asyncio.run(port_now(config, endpoint))
    if result is None:
        switches = ", ".join(switch.id for switch in switches_of(config))
        text = PORT_NOT_FOUND if switches else NO_SWITCH
        return failed(EXIT_NOT_MEASURED, text.in_(language, id=endpoint.id, switches=switches))
    print(json_line(answer.port_json(result)) if arguments.json else answer.port_words(result, language))
    if result.record is None:
        return EXIT_NOT_MEASURED
    speed = result.record.speed_bits_per_second or 0
    return EXIT_OK if speed >= endpoint.required_bits_per_second and result.record.duplex != "half" else EXIT_NOT_MET
