"""A secret is read however an editor saved it, or what is wrong with its file is named."""

from pathlib import Path

import pytest

from campus_base.settings import UnusableFile, read_secret
from campus_wire.digits import ascii_integer


@pytest.mark.parametrize(
    "octets",
    [
        b"secret",
        b"secret\n",
        b"\xef\xbb\xbfsecret\r\n",
        "secret\r\n".encode("utf-16"),
        b"\xfe\xff" + "secret".encode("utf-16-be"),
        b"  \n\t secret \t \r\n",
        "\u3000secret\u3000\u00a0\n".encode(),
        "\ufeffsecret\u200b\n# a note\n".encode(),
    ],
)
def test_read(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "token").write_bytes(octets)
    assert read_secret(tmp_path / "token").reveal() == "secret"


@pytest.mark.parametrize(
    ("octets", "en", "zh"),
    [
        (b"", "empty", "文件为空"),
        (b"\xef\xbb\xbf \r\n", "empty", "文件为空"),
        (b"\xff\xfe", "empty", "文件为空"),
        ("秘密".encode("gbk"), "save it as UTF-8", "请以 UTF-8 编码保存"),
        ("secret".encode("utf-16-le"), "save it as UTF-8", "请以 UTF-8 编码保存"),
        (b"\xff\xfex", "save it as UTF-8", "请以 UTF-8 编码保存"),
        (b"x" * 70_000, "64 KiB", "64 KiB"),
    ],
)
def test_named(tmp_path: Path, octets: bytes, en: str, zh: str) -> None:
    (tmp_path / "token").write_bytes(octets)
    with pytest.raises(UnusableFile) as refused:
        read_secret(tmp_path / "token")
    assert en in refused.value.text.en
    assert zh in refused.value.text.zh


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("00042", 42),
        ("65535", 65_535),
        ("65536", None),
        ("9" * 5000, None),
        ("0" * 5000 + "7", 7),
        ("²", None),
        ("٣", None),
        ("１２", None),
        ("-1", None),
        ("+1", None),
        ("1 ", None),
        ("1_0", None),
        ("", None),
    ],
)
def test_whole_numbers_of_ascii_digits(text: str, number: int | None) -> None:
    assert ascii_integer(text, 65_535) == number
