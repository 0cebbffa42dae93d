"""What is said where no font is installed; apart from the typesetter, which is large."""

from campus_base.messages import message


class FontMissing(Exception):
    """No Chinese font is installed; says which would do."""

    def __init__(self) -> None:
        self.words = message(
            "no Chinese font is installed that a PDF can be set in; on Debian: apt install fonts-noto-cjk"
        )
        super().__init__(self.words.en)
