"""Write the files anew."""

from tests.collector.report.golden import FOLDER, NAMES, text_of

for name in NAMES:
    (FOLDER / name).write_text(text_of(name), encoding="utf-8")
