"""argparse's own words in Chinese: usage mistakes must be readable to who reads only Chinese.

argparse looks its words up through gettext; the standard library ships no Chinese catalogue, so the few dozen words are in ours.
"""

import argparse
import io
import sys

from campus_base.language import Language
from campus_base.messages import message

_WORDS = (
    message("usage: "),
    message("positional arguments"),
    message("options"),
    message("show this help message and exit"),
    message("%(prog)s: error: %(message)s\n"),
    message("argument %(argument_name)s: %(message)s"),
    message("the following arguments are required: %s"),
    message("unrecognized arguments: %s"),
    message("invalid choice: %(value)r (choose from %(choices)s)"),
    message("invalid %(type)s value: %(value)r"),
    message("expected one argument"),
    message("expected at most one argument"),
    message("expected at least one argument"),
    message("not allowed with argument %s"),
    message("one of the arguments %s is required"),
    message("ambiguous option: %(option)s could match %(matches)s"),
    message("ignored explicit argument %r"),
    message("unknown parser %(parser_name)r (choices: %(choices)s)"),
)


def localize(language: Language) -> None:
    """From now on argparse uses this language; words it has no Chinese for stay English.

    What the terminal's encoding cannot write (a tick in GBK, Chinese in ASCII) is shown as "?", and never ends the program.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = {word.template: word.in_(language) for word in _WORDS}
    argparse._ = lambda text: words.get(text, text)  # type: ignore[attr-defined]
