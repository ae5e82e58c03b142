"""Relations within the plausibility checks: names, units, patience, and no check that can never fire."""

from __future__ import annotations

from itertools import combinations, product

from safetykit.core import bounds as b
from safetykit.policy.checks_channels import NEVER
from safetykit.policy.checks_logic import split_range
from safetykit.policy.paths import Path
from safetykit.policy.report import Names, Report, outermost
from safetykit.policy.schema import Channel, Input, PolicyDocument
from safetykit.policy.schema_watch import Agree, Stuck


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """Channel keys, then each section."""
    for name, channel in document.channels.items():
        _outlier(("channels", name, "outlier"), channel, report)
        _oscillation(("channels", name, "oscillation"), channel, document, report)
        _follow(("channels", name, "follow"), channel, document, report)
    for key, most in (("outlier", b.OUTLIER_SLOTS_MAX), ("oscillation", b.SWING_SLOTS_MAX)):
        count = sum(getattr(channel, key) is not None for channel in document.channels.values())
        if count > most:
            report.add(("channels",), f"too many channels with {key}", count, f"at most {most} in a policy")
    for name, agree in document.agree.items():
        _agree(("agree", name), agree, names, report)
        _patience(("agree", name, "for_ms"), agree.for_ms, document, report)
    _integrity(document, names, report)
    for name, stuck in document.stuck.items():
        _stuck(("stuck", name), stuck, document, names, report)


def _patience(path: Path, for_ms: float, document: PolicyDocument, report: Report) -> None:
    period_ms = document.timing.period_ms
    if for_ms <= period_ms:
        report.add(path, "must be more than the period", for_ms, f"> {period_ms:g}")


def _outlier(path: Path, channel: Channel, report: Report) -> None:
    if channel.outlier is None:
        return
    low, high = outermost(channel)
    if channel.outlier.floor >= high - low:
        message = f"{NEVER}: within the bounds no sample is that far off"
        report.add((*path, "floor"), message, channel.outlier.floor, f"< {high - low:g}")


def _oscillation(path: Path, channel: Channel, document: PolicyDocument, report: Report) -> None:
    swings = channel.oscillation
    if swings is None:
        return
    low, high = outermost(channel)
    span, period_ms = high - low, document.timing.period_ms
    if swings.window_ms <= period_ms:
        report.add((*path, "window_ms"), "must be more than the period", swings.window_ms, f"> {period_ms:g}")
    if swings.deadband >= span:
        report.add((*path, "deadband"), f"{NEVER}: no swing is that wide", swings.deadband, f"< {span:g}")
    most = span**2 * (1 + swings.window_ms / period_ms)  # a swing of the whole range in every tick, for ever
    if swings.energy >= most:
        message = f"{NEVER}: a swing of the whole range in every tick has less"
        report.add((*path, "energy"), message, swings.energy, f"< {most:.6g}")


def _follow(path: Path, channel: Channel, document: PolicyDocument, report: Report) -> None:
    period_s = document.timing.period_ms / 1000
    if channel.follow is not None and 0 < channel.follow.tau_s < period_s:
        message = "is less than a period: leave it out"
        report.add((*path, "tau_s"), message, channel.follow.tau_s, f"0, or >= {period_s:g}")


def _agree(path: Path, agree: Agree, names: Names, report: Report) -> None:
    known: list[Input] = []
    for index, name in enumerate(agree.inputs):
        here = (*path, "inputs", index)
        if name not in names.inputs:
            report.unknown(here, "input", name, names.inputs)
        elif name in agree.inputs[:index]:
            report.add(here, "is given twice", name)
        else:
            known.append(names.inputs[name])
            if known[-1].unit != known[0].unit:
                report.add(here, "has another unit than the first", name, f"unit {known[0].unit}")
    if len(known) < len(agree.inputs):
        return
    if not any(_can_contradict(one, two, agree) for one, two in combinations(known, 2)):
        report.add((*path, "error"), f"{NEVER}: the inputs' ranges allow no larger difference", agree.error)


def _can_contradict(one: Input, two: Input, agree: Agree) -> bool:
    """With a share below 1, what differs most in proportion is a pair of ends of the two ranges."""
    return any(
        abs(a - b) > agree.error + agree.error_share * max(abs(a), abs(b))
        for a, b in product((one.min, one.max), (two.min, two.max))
    )


def _integrity(document: PolicyDocument, names: Names, report: Report) -> None:
    for name, entry in document.integrity.items():
        path: Path = ("integrity", name)
        _patience((*path, "for_ms"), entry.for_ms, document, report)
        if entry.count > len(entry.checks):
            most = len(entry.checks)
            report.add((*path, "count"), "can never be reached: there are fewer checks", entry.count, f"<= {most}")
        seen: set[str] = set()
        for index, flag in enumerate(entry.checks):
            here = (*path, "checks", index)
            if flag.input not in names.inputs:
                report.unknown((*here, "input"), "input", flag.input, names.inputs)
            elif flag.input in seen:
                report.add((*here, "input"), "is given twice", flag.input)
            elif flag.min is None and flag.max is None:
                report.add(here, "needs min or max")
            else:
                split_range(here, (flag.input, flag.min, flag.max), ("min", "max"), names, report)
            seen.add(flag.input)


def _stuck(path: Path, stuck: Stuck, document: PolicyDocument, names: Names, report: Report) -> None:
    if (stuck.input is None) == (stuck.asked is None):
        report.add(path, "needs exactly one of the keys input, asked")
        return
    slowest_ms = document.timing.command_stale_ms
    if stuck.asked is not None:
        if stuck.asked not in document.channels:
            report.unknown((*path, "asked"), "channel", stuck.asked, document.channels)
    elif stuck.input in names.inputs:
        slowest_ms = document.sources[names.source_of[stuck.input]].age_ms
    else:
        report.unknown((*path, "input"), "input", str(stuck.input), names.inputs)
    if stuck.for_ms <= slowest_ms:
        message = "a slow sender would look stuck before it is stale"
        report.add((*path, "for_ms"), message, stuck.for_ms, f"> {slowest_ms:g}")
    for index, spec in enumerate(stuck.only_while):
        for key in ("inside", "outside", "within_s"):
            if getattr(spec, key) is not None:
                message = "only the range of an input can be used here"
                report.add((*path, "only_while", index, key), message, getattr(spec, key))
