"""What a commit changes."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit touched, for caches: results of (school, subject, kind), schools whose agent `reported`, whose list of subjects was
    `announced` otherwise and whose evidence was `judged`; `inventory` when any school or subject may have changed, `ledger` when problems did;
    `sequences` are the places in their schools' chains of the last results, of what this process stored."""

    subjects: frozenset[tuple[str, str, str]] = field(default_factory=frozenset)
    inventory: bool = False
    ledger: bool = False
    reported: frozenset[str] = field(default_factory=frozenset)
    announced: frozenset[str] = field(default_factory=frozenset)
    judged: frozenset[str] = field(default_factory=frozenset)
    sequences: frozenset[tuple[str, int]] = field(default_factory=frozenset)
