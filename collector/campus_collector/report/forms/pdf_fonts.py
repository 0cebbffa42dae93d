"""What is said where no font is installed; apart from the typesetter, which is large."""

from campus_base.language import Text


class FontMissing(Exception):
    """No Chinese font is installed; says which would do."""

    def __init__(self) -> None:
        self.words = Text(
            "no Chinese font is installed that a PDF can be set in; on Debian: apt install fonts-noto-cjk",
            "系统中没有可用于生成 PDF 的中文字体；Debian 请执行：apt install fonts-noto-cjk",
        )
        super().__init__(self.words.en)
