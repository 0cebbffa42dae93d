"""Archives that are damaged, or made to cost much: refused in words, and the process that serves stays small."""

import resource
import struct
import time
import zipfile
from random import Random

import pytest

from campus_collector.domain.inventory import EMPTY
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.importer import read_upload
from campus_collector.inventory.package import MAX_ENTRIES
from campus_collector.inventory.worker import MAX_CPU_SECONDS, MAX_MEMORY_BYTES, Request, examine
from tests.office_files.files import HEAD, MAIN, SCHOOL, SCHOOLS, packed, parts_of, sheet_xml, styles_xml, xlsx
from tests.office_files.test_workbooks import COUNTY

MIB = 1024 * 1024


def shared(body: str) -> bytes:
    parts = parts_of(COUNTY)
    parts["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{MAIN}">{body}</sst>'
    return packed(parts)


def with_rows(rows: str, **more: str) -> bytes:
    return xlsx({"学校": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'}, **more)


def entities() -> bytes:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    parts = parts_of(COUNTY)
    parts["xl/worksheets/sheet1.xml"] = (
        f'<!DOCTYPE x [<!ENTITY a0 "x">{levels}]><worksheet><sheetData><row><c><v>&a8;</v></c></row></sheetData></worksheet>'
    )
    return packed(parts)


def zip_of(octets: bytes, count: int = 1) -> bytes:
    return packed({f"{n}/schools.csv": octets for n in range(count)})


COSTLY = {
    "a ZIP of zeros": ("a.zip", lambda: zip_of(b"0" * 70 * MIB)),
    "one line of commas": ("a.zip", lambda: zip_of(b"," * 3 * MIB)),
    "lines of nothing but commas": ("a.zip", lambda: zip_of((b"," * 199 + b"\n") * 20_500)),
    "lines of one letter": ("a.zip", lambda: zip_of(b"a\n" * 400_000)),
    "a million cell formats": ("a.xlsx", lambda: xlsx(COUNTY, styles=styles_xml(more="<xf/>" * 1_000_000))),
    "a million fonts": ("a.xlsx", lambda: xlsx(COUNTY, styles=styles_xml().replace("<font/>", "<font/>" * 1_100_000))),
    "shared strings": ("a.xlsx", lambda: shared("<si><t>x</t></si>" * 300_000)),
    "long shared strings": ("a.xlsx", lambda: shared(f"<si><t>{'x' * 30_000}</t></si>" * 1_000)),
    "one shared string": ("a.xlsx", lambda: shared(f"<si><t>{'x' * 10 * MIB}</t></si>")),
    "cells": ("a.xlsx", lambda: with_rows(f"<row>{'<c><v>1</v></c>' * 150}</row>" * 700)),
    "a far row": ("a.xlsx", lambda: with_rows('<row r="1000000"><c><v>1</v></c></row>')),
    "entities": ("a.xlsx", entities),
    "deep elements": ("a.xlsx", lambda: with_rows("<row>" * 500_000)),
    "merged cells": ("a.xlsx", lambda: xlsx({"学校": sheet_xml([SCHOOLS] + [SCHOOL] * 500, after="<mergeCells>" + '<mergeCell ref="A1:A1048576"/>' * 20_000 + "</mergeCells>")})),
    "sizes of numbers": ("a.xlsx", lambda: with_rows('<row><c><v>1e99999999</v></c><c><v>1e-99999999</v></c></row>')),
    "numbers of many digits": ("a.xlsx", lambda: with_rows(f"<row>{f'<c><v>{chr(57) * 30_000}</v></c>' * 100}</row>")),
    "a long file name": ("a.zip", lambda: packed({"/".join("a" * 30_000) + "/schools.csv": b"x"})),
}  # fmt: skip


def memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("kind", COSTLY)
def test_what_would_cost_much_costs_little(kind: str) -> None:
    name, make = COSTLY[kind]
    octets = make()
    before, began = memory(), time.process_time()
    try:
        read_upload(name, octets, EMPTY)
    except Unreadable as error:
        assert error.in_("zh") != error.in_("en")
    assert memory() - before < 64 * MIB, "of the process that asks"
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 <= MAX_MEMORY_BYTES
    assert MAX_CPU_SECONDS <= 120


def test_many_entries_are_refused_before_they_are_read() -> None:
    octets = packed({f"{n}.csv": b"" for n in range(MAX_ENTRIES + 1)}, method=zipfile.ZIP_STORED)
    with pytest.raises(Unreadable, match="more than 2000 files"):
        read_upload("a.zip", octets, EMPTY)


def test_what_an_archive_says_of_its_sizes_is_not_believed() -> None:
    octets = bytearray(packed({"schools.csv": b"0" * 100_000}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", octets, octets.index(signature) + offset, 10)
    assert examine(Request([("a.zip", bytes(octets))], EMPTY)).refusal is not None


@pytest.mark.parametrize("name", ["县.xlsx", "县.zip"])
def test_damage_is_told_in_words(name: str) -> None:
    """Cut short, altered, filled with zeros: never an exception."""
    whole = xlsx(COUNTY) if name == "县.xlsx" else packed({"学校.csv": ",".join(SCHOOLS), "b/班级.csv": "x" * 500})
    random = Random(7)
    for _ in range(300):
        octets = bytearray(whole)
        kind = random.randrange(3)
        at = random.randrange(len(octets))
        if kind == 0:
            del octets[at:]
        elif kind == 1:
            for _ in range(random.randrange(1, 8)):
                octets[random.randrange(len(octets))] = random.randrange(256)
        else:
            octets[at : at + 20] = bytes(20)
        answer = examine(Request([(name, bytes(octets))], EMPTY))
        assert answer.refusal is None or (answer.refusal.en and answer.refusal.zh)


def test_damaged_parts_are_told_in_words() -> None:
    """Sound archives whose XML is not."""
    parts = parts_of(COUNTY, styles=styles_xml("000", "0.00"))
    random = Random(8)
    for _ in range(300):
        name = random.choice(list(parts))
        text = parts[name]
        at, length = random.randrange(len(text)), random.randrange(1, 40)
        piece = random.choice(
            [
                "",
                "<",
                "&x;",
                '"',
                "\x01",
                "9" * 30,
                "-1",
                "</row>",
                "<row r='0'>",
                "<c r='A0'/>",
                "<c s='-1'><v>1</v></c>",
                "<c t='s'><v>7</v></c>",
            ]
        )
        broken = parts | {name: text[:at] + piece + text[at + length :]}
        answer = examine(Request([("县.xlsx", packed(broken))], EMPTY))
        assert answer.refusal is None or (answer.refusal.en and answer.refusal.zh)
