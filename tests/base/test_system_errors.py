"""The system's words: as they are in English, translated where they are common."""

import errno
import os
import socket
import ssl
from pathlib import Path

import pytest

from campus_base.settings import UnusableFile, read_text
from campus_base.system_errors import errno_words, error_words

COMMON = (
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOSPC,
    errno.EROFS,
    errno.EDQUOT,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
    errno.EADDRINUSE,
    errno.EADDRNOTAVAIL,
    errno.EMFILE,
    errno.ENFILE,
    errno.EPIPE,
    errno.EIO,
)


@pytest.mark.parametrize("number", COMMON, ids=errno.errorcode.get)
def test_common_errors_are_the_system_s_words_in_english_and_translated_in_chinese(number: int) -> None:
    words = errno_words(number)
    assert words.en == os.strerror(number)
    assert not words.zh.isascii()


def test_an_error_that_is_not_common_keeps_the_system_s_words() -> None:
    assert errno_words(errno.EOVERFLOW).zh == os.strerror(errno.EOVERFLOW)


def test_what_a_library_adds_to_the_system_s_words_is_kept() -> None:
    shown = "error while attempting to bind on address ('127.0.0.1', 5301): address already in use"
    words = error_words(OSError(errno.EADDRINUSE, shown))
    assert words.en == shown
    assert words.zh == f"地址已被占用 ({shown})"


def test_a_number_of_another_library_is_not_the_system_s() -> None:
    assert error_words(ssl.SSLError(1, "wrong version number")).zh == "wrong version number"


def test_names_that_do_not_exist_and_time_that_is_over() -> None:
    for error in (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), TimeoutError("timed out")):
        assert error_words(error).en == str(error.args[-1])
        assert not error_words(error).zh.isascii()


def test_a_file_that_cannot_be_read_is_explained_in_chinese(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile) as caught:
        read_text(tmp_path / "nothing")
    assert caught.value.text.zh == "无法读取：文件或目录不存在"
    assert error_words(caught.value) == caught.value.text
