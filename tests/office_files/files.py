"""Workbooks and archives as WPS, Excel, Tencent Docs, LibreOffice and scripts write them, part by part."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = {
    MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
    RELATIONS: "http://purl.oclc.org/ooxml/officeDocument/relationships",
}
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
SCHOOLS = ["镇街编号", "镇街", "学校编号", "学校", "镇驻地"]
CLASSROOMS = ["学校编号", "班级编号", "班级", "地址", "端口", "免考核原因"]
SCHOOL = ["t01", "柳河镇", "s001", "中心小学", "1"]


def letters(column: int) -> str:
    return (letters(column // 26 - 1) if column >= 26 else "") + chr(65 + column % 26)


class Raw(str):
    """The XML of a cell's inside and its attributes, instead of text: 't="n" s="1"|<v>1</v>'."""


def number(value: object, style: int = 0) -> Raw:
    return Raw(f's="{style}"|<v>{value}</v>')


def formula(text: str, value: str | None, kind: str = "n") -> Raw:
    inside = f"<f>{escape(text)}</f>" + ("" if value is None else f"<v>{escape(value)}</v>")
    return Raw(f't="{kind}"|{inside}')


def sheet_xml(rows: Sequence[Sequence[str]], *, before: str = "", after: str = "", dimension: str = "A1") -> str:
    body = []
    for index, cells in enumerate(rows, 1):
        written = []
        for column, cell in enumerate(cells):
            place = f"{letters(column)}{index}"
            if isinstance(cell, Raw):
                attributes, _, inside = cell.partition("|")
                written.append(f'<c r="{place}" {attributes}>{inside}</c>')
            elif cell:
                written.append(f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>')
        if written:
            body.append(f'<row r="{index}">{"".join(written)}</row>')
    return (
        f'{HEAD}<worksheet xmlns="{MAIN}" xmlns:r="{RELATIONS}"><dimension ref="{dimension}"/>{before}'
        f"<sheetData>{''.join(body)}</sheetData>{after}</worksheet>"
    )


def styles_xml(*codes: str, fills: str = '<fill><patternFill patternType="none"/></fill>', more: str = "") -> str:
    """Cell format 0 is General, 1 the first of these codes, and so on."""
    formats = "".join(
        f'<numFmt numFmtId="{164 + n}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for n, code in enumerate(codes)
    )
    cells = "".join(f'<xf numFmtId="{164 + n}" applyNumberFormat="1"/>' for n in range(len(codes)))
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts count="{len(codes)}">{formats}</numFmts><fonts count="1"><font/></fonts>'
        f'<fills count="1">{fills}</fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        f'<cellXfs count="{len(codes) + 1}"><xf numFmtId="0"/>{cells}{more}</cellXfs></styleSheet>'
    )


def parts_of(
    sheets: Mapping[str, Sequence[Sequence[str]] | str],
    *,
    styles: str | None = None,
    book: str = "",
    states: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The parts of a workbook; a sheet is rows, or its whole XML."""
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}" state="{(states or {}).get(name, "visible")}"/>'
        for n, name in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    found = {
        "[Content_Types].xml": f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{book}<sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{relations}<Relationship Id="rIdS" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": styles or styles_xml(),
    }
    for n, rows in enumerate(sheets.values(), 1):
        found[f"xl/worksheets/sheet{n}.xml"] = rows if isinstance(rows, str) else sheet_xml(rows)
    return found


def packed(parts: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[str]] | str], **more: object) -> bytes:
    return packed(parts_of(sheets, **more))  # type: ignore[arg-type]


class _WindowsEntry(zipfile.ZipInfo):
    """An entry whose name is in a code page."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("cp437"), self.flag_bits


def windows_zip(files: Mapping[str, bytes], encoding: str = "gbk") -> bytes:
    """As the Explorer of a Chinese Windows packs: names in the machine's code page, and no mark of it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in files.items():
            archive.writestr(_WindowsEntry(name.encode(encoding).decode("cp437")), octets)
    return out.getvalue()
