"""`campus-agent profiles`: the types of equipment that can be asked, shipped ones and the school's own."""

import argparse
from pathlib import Path

from campus_agent.cli.common import json_option
from campus_agent.measure.equipment.profile import load_profile, profile_files
from campus_base.command_line import EXIT_OK, CommandParser, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.readings import READINGS


def register(parser: CommandParser) -> None:
    json_option(parser)
    folder = message("your own profiles; they outrank the shipped ones")
    parser.add_argument("--folder", type=Path, metavar="DIR", help=parser.words(folder))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    profiles = [load_profile(path) for path in profile_files(arguments.folder)]
    if arguments.json:
        rows = [
            {
                "name": profile.name,
                "title": {"en": profile.title.en, "zh": profile.title.zh},
                "up_when_any": list(profile.up_when_any),
                "readings": list(profile.readings),
                "sources": list(profile.sources),
            }
            for profile in profiles
        ]
        print(json_line(rows))
        return EXIT_OK
    for profile in profiles:
        print(f"{profile.name:<24} {profile.title.in_(language)}")
        print(f"{'':<24} {', '.join(READINGS[name].in_(language) for name in profile.readings)}")
    return EXIT_OK
