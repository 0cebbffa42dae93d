"""Why a month is not archived."""

from campus_base.messages import Message


class NotArchived(Exception):
    """Nothing was written; says why."""

    def __init__(self, words: Message) -> None:
        self.words = words
        super().__init__(words.en)
