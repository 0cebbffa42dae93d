"""The refusal of a whole file, in the reader's language."""

from campus_base.language import Language
from campus_base.messages import Message
from campus_base.terminal import escape_cell


class Unreadable(Exception):
    """The file as a whole cannot be read; the words say why."""

    def __init__(self, text: Message) -> None:
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        """In one, on one line: names of files and sheets are the writer's."""
        return escape_cell(self.text.in_(language))
