"""What the doctor finds, and how it is shown. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check went. WARN: works, but somebody should act; SKIP: it could not be looked at, or does not concern."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `subject` is what was looked at (`matrix home`), `said` how it is, `do` what the operator can do."""

    outcome: Outcome
    subject: str
    said: str
    do: str = ""


def ok(subject: str, said: str) -> Finding:
    return Finding(Outcome.OK, subject, said)


def warn(subject: str, said: str, do: str) -> Finding:
    return Finding(Outcome.WARN, subject, said, do)


def fail(subject: str, said: str, do: str) -> Finding:
    return Finding(Outcome.FAIL, subject, said, do)


def skip(subject: str, said: str) -> Finding:
    return Finding(Outcome.SKIP, subject, said)


def failed(findings: Sequence[Finding]) -> bool:
    """Whether any check failed."""
    return any(finding.outcome is Outcome.FAIL for finding in findings)


def lines(findings: Sequence[Finding]) -> list[str]:
    """The findings for people: aligned, and what to do under those that need it."""
    shown = []
    for each in findings:
        shown.append(f"{each.outcome.value:<5}{each.subject}: {each.said}")
        if each.do:
            shown.append(f"     -> {each.do}")
    return shown


def as_json(findings: Sequence[Finding]) -> Mapping[str, object]:
    """The findings as one document: `ok`, and `checks` with `outcome`, `subject`, `said`, `do`."""
    checks = [
        {"outcome": each.outcome.value, "subject": each.subject, "said": each.said, "do": each.do} for each in findings
    ]
    return {"ok": not failed(findings), "checks": checks}
