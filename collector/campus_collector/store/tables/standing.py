"""What is known of some schools before their batches are stored, in one statement: each statement costs as much as storing several results."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from campus_collector.store.tables.missing_log import MISSING_LOG
from campus_collector.store.transport import Row, Transaction

_STANDING = " UNION ALL ".join(
    (
        # the columns are of these types in all that follows
        "SELECT 'checkpoint', s.school, s.day, s.last_sequence, s.head, CAST(NULL AS TEXT), CAST(NULL AS TEXT)"
        " FROM seal s WHERE s.school IN (:schools)"
        " AND s.day = (SELECT max(n.day) FROM seal n WHERE n.school = s.school)",
        "SELECT 'intake', school, results, bytes, NULL, NULL, NULL FROM intake WHERE school IN (:schools) AND day = :day",
        "SELECT 'agent', a.school, NULL, NULL, NULL, a.agent_id, a.boot_id FROM agent a JOIN agent_boot b"
        " ON b.school = a.school AND b.agent_id = a.agent_id AND b.boot_id = a.boot_id WHERE a.school IN (:schools)",
        "SELECT 'subject', school, added_at, NULL, NULL, kind, id FROM subject"
        " WHERE school IN (:schools) AND id IN (:subjects)",
        "SELECT 'series', n.school, n.number, s.number, NULL, s.subject, s.kind FROM numbered_school n"
        " LEFT JOIN series s ON s.school = n.number AND s.subject IN (:subjects) WHERE n.school IN (:schools)",
        "SELECT 'mark', name, value, NULL, NULL, NULL, NULL FROM mark WHERE name = :missing_log",
    )
)


@dataclass(slots=True)
class Standing:
    """Of several schools, as far as there is anything."""

    log_is_missing: bool = False
    """See `missing_log`."""
    checkpoints: dict[str, Row] = field(default_factory=dict)
    """Day, sequence and head of each school's last one."""
    intake: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Results and bytes that each has sent on the day."""
    boots: dict[tuple[str, str], str] = field(default_factory=dict)
    """By school and agent, the boot that it reports from, and has reported from before."""
    added_at: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Since when the named subjects are known, by school, kind and subject."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Of schools."""
    series: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    """Numbers of the series of the named subjects, by school, and by subject and kind; each has a result."""


def standing_of(transaction: Transaction, schools: Sequence[str], subjects: Sequence[str], day: int) -> Standing:
    """What is known of these schools and subjects; `day` is that of the intake."""
    standing = Standing()
    rows = transaction.read_in(
        _STANDING, {"schools": schools, "subjects": subjects}, {"day": day, "missing_log": MISSING_LOG}
    )
    for part, school, first, second, head, name, other in rows:
        match part:
            case "checkpoint":
                standing.checkpoints[school] = (first, second, head)
            case "intake":
                standing.intake[school] = (first, second)
            case "agent":
                standing.boots[school, name] = other
            case "subject":
                standing.added_at[school, name, other] = first
            case "series":
                standing.numbers[school] = first
                if second is not None:
                    standing.series.setdefault(school, {})[name, other] = second
            case "mark":
                standing.log_is_missing = True
    return standing
