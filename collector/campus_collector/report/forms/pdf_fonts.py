"""Which fonts a document is set in: those that GB/T 9704-2012 asks for where they are installed, else named substitutes; apart from the typesetter, which is large. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from campus_base.language import Language
from campus_base.messages import Message, joined, message, pmessage, verbatim
from campus_collector.report.words import say

SERIF = ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Serif SC", "Source Han Serif CN", "AR PL UMing CN")
SANS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC", "Source Han Sans CN", "Microsoft YaHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
)  # fmt: skip
KAI = ("LXGW WenKai", "AR PL UKai CN", "AR PL KaitiM GB")
LATIN = ("Times New Roman", "Liberation Serif", "TeX Gyre Termes", "Libertinus Serif")


@dataclass(frozen=True, slots=True)
class Role:
    """A typeface of official documents: its name, the families that are it, and those that may stand for it, best first."""

    name: Message
    families: tuple[str, ...]
    substitutes: tuple[str, ...]


BODY = Role(
    pmessage("typeface", "FangSong"),
    (
        "FangSong_GB2312", "仿宋_GB2312", "FangSong", "仿宋", "FZFangSong-Z02S", "FZFangSong-Z02", "FZFangSong_GBK",
        "方正仿宋简体", "方正仿宋_GBK", "STFangsong", "华文仿宋", "Zhuque Fangsong (technical preview)", "朱雀仿宋",
    ),
    (*SERIF, "SimSun", "宋体", *SANS),
)  # fmt: skip
HEADING = Role(
    pmessage("typeface", "HeiTi"),
    ("SimHei", "黑体", "FZHei-B01S", "FZHei-B01", "方正黑体简体", "方正黑体_GBK", "STHeiti", "华文黑体"),
    (*SANS, *SERIF),
)
SUBHEADING = Role(
    pmessage("typeface", "KaiTi"),
    (
        "KaiTi_GB2312", "楷体_GB2312", "KaiTi", "楷体", "FZKai-Z03S", "FZKai-Z03", "方正楷体简体", "方正楷体_GBK",
        "STKaiti", "华文楷体",
    ),
    (*KAI, *SERIF, *SANS),
)  # fmt: skip
TITLE = Role(
    pmessage("typeface", "XiaoBiaoSong"),
    (
        "FZXiaoBiaoSong-B05S", "FZXiaoBiaoSong-B05", "方正小标宋简体", "方正小标宋_GBK", "FZXBSJW--GB1-0",
        "FZXBSK--GBK1-0",
    ),
    (*SERIF, "STZhongsong", "华文中宋", *SANS),
)  # fmt: skip
PAGE = Role(
    pmessage("typeface", "SongTi"),
    ("SimSun", "宋体", "NSimSun", "FZShuSong-Z01S", "FZShuSong-Z01", "方正书宋简体", "STSong", "华文宋体"),
    (*SERIF, *SANS),
)
ROLES = {"body": BODY, "heading": HEADING, "subheading": SUBHEADING, "title": TITLE, "page": PAGE}


class FontMissing(Exception):
    """No Chinese font is installed; says which would do."""

    def __init__(self) -> None:
        self.words = message(
            "no Chinese font is installed that a PDF can be set in; on Debian: apt install fonts-noto-cjk"
        )
        super().__init__(self.words.en)


@dataclass(frozen=True, slots=True)
class Substitute:
    """A family that stands for a typeface which is not installed."""

    role: Role
    family: str


@dataclass(frozen=True, slots=True)
class Typefaces:
    """The families for each role, best first: what the first lacks is taken from the next. And what is a substitute."""

    families: dict[str, list[str]]
    substitutes: tuple[Substitute, ...]


def typefaces(installed: Collection[str]) -> Typefaces:
    """Raises FontMissing where not even a substitute is installed."""
    families, substitutes = {}, []
    for name, role in ROLES.items():
        proper = [family for family in role.families if family in installed]
        others = [family for family in role.substitutes if family in installed]
        if not proper and not others:
            raise FontMissing
        if not proper:
            substitutes.append(Substitute(role, others[0]))
        families[name] = [*proper[:1], *others]
    return Typefaces(families, tuple(substitutes))


def colophon(substitutes: Sequence[Substitute], language: Language) -> str:
    """What a document says of its fonts: "" where every one is the proper one."""
    if not substitutes:
        return ""
    pair = pmessage("names", "{left}, {right}")
    by_family: dict[str, list[Message]] = {}
    for each in substitutes:
        by_family.setdefault(each.family, []).append(each.role.name)
    stand_ins = [
        message("{substitute} for {font}", substitute=verbatim(family), font=joined(names, pair))
        for family, names in by_family.items()
    ]
    missing = joined([each.role.name for each in substitutes], pair)
    return say(
        "fonts_pdf", language, missing=missing, substitutes=joined(stand_ins, pmessage("clauses", "{left}, {right}"))
    )


DOCX_BODY, DOCX_HEADING, DOCX_SUBHEADING, DOCX_TITLE, DOCX_PAGE = (
    "仿宋_GB2312",
    "黑体",
    "楷体_GB2312",
    "方正小标宋简体",
    "宋体",
)
"""The fonts that a DOCX file names, as WPS and Word list them; they put another where one is missing."""


def docx_fonts(language: Language) -> str:
    """What a DOCX file says of its fonts: the reader's computer must have them."""
    names = "、".join((DOCX_TITLE, DOCX_BODY, DOCX_SUBHEADING, DOCX_HEADING, DOCX_PAGE))
    return say("fonts_docx", language, fonts=names)
