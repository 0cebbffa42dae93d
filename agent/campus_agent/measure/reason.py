"""What is said of a measurement that may not be sound. Pure."""

from typing import NamedTuple

from campus_wire.failures import Validity


class ValidityReason(NamedTuple):
    """A validity and why, for a technician; "" where it is OK."""

    validity: Validity
    detail: str = ""


SOUND = ValidityReason(Validity.OK)
