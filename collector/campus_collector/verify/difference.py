"""A difference between what is stored and what follows from the results, with its words."""

from dataclasses import dataclass

from campus_base.messages import Message


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was stored. `school` "" is the ledger's trail or the file."""

    school: str
    text: Message
