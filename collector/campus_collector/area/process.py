"""The process in which an area's report is written in one form: `python -m campus_collector.area.process FORM LANGUAGE [FONT_FILE...]` reads its figures."""

import sys

from campus_collector.area.compose import compose_area
from campus_collector.area.figures import area_figures_of
from campus_collector.report.forms import process

if __name__ == "__main__":
    sys.exit(process.main(sys.argv[1:], lambda content, language: compose_area(area_figures_of(content), language)))
