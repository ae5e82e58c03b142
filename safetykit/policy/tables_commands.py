"""Tables of the vote, the operator's own commands and the shadow model, for `policy show`."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.policy.report import Names
from safetykit.policy.rows import condition_row
from safetykit.policy.schema import PolicyDocument

Row = tuple[object, ...]


def rows(document: PolicyDocument, names: Names) -> Iterator[Row]:
    """(section, key, value) of everything that is given."""
    if document.commands is not None:
        vote = document.commands
        yield "vote", "voters", ", ".join(vote.voters)
        yield "vote", "must agree", f"{vote.needed} of {len(vote.voters)}"
        yield "vote", "align ms", vote.align_ms
        yield "vote", "disagree ms", vote.disagree_ms
        for name, channel in document.channels.items():
            yield "vote", f"tolerance of {name}", channel.vote_tolerance
    if document.manual is not None:
        manual = document.manual
        yield "manual", "taken while", condition_row(manual.take, names).text
        yield "manual", "late ms", manual.late_ms
        yield "manual", "lost ms", manual.stale_ms
        yield "manual", "overrules", ", ".join(manual.overrules) or "nothing"
    if document.shadow is not None:
        shadow = document.shadow
        yield "shadow", "source", shadow.source
        yield "shadow", "differs for ms", shadow.for_ms
        for name, part in shadow.map.items():
            yield "shadow", f"{name} against {part.input}", f"within {part.tolerance:g}"
