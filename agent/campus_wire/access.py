"""Is one request to a cloud platform a pass? The same rule for the agent's own answer and for the collector's judge."""

from campus_wire.failures import Validity
from campus_wire.records import ServiceResult

DEFAULT_MAX_FIRST_BYTE_SECONDS = 1.0


def access_passes(result: ServiceResult, max_first_byte_seconds: float = DEFAULT_MAX_FIRST_BYTE_SECONDS) -> bool | None:
    """DNS, TCP, TLS and HTTP succeeded and the first byte came in time.

    None when the measurement itself says nothing: skipped, or not sound. A failed request is a finding: False.
    """
    if result.skipped is not None or result.validity is not Validity.OK:
        return None
    record = result.record
    if result.failure is not None or record is None or not record.success:
        return False
    return record.first_byte_seconds is not None and record.first_byte_seconds <= max_first_byte_seconds
