"""From a preset's name, a file or a plain dictionary to a compiled policy."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pydantic import ValidationError

from safetykit.errors import NO_VALUE, PolicyError, Problem
from safetykit.policy.checks import check
from safetykit.policy.compile import Policy, compile_document
from safetykit.policy.diagnosis import problems_from
from safetykit.policy.paths import Path, did_you_mean, listed
from safetykit.policy.report import Report
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.yaml_text import BYTES_MAX, read_yaml

PRESETS = ("quadrotor", "car-torque", "car-angle", "rover", "restrictive")


def load_policy(source: str | pathlib.Path) -> Policy:
    """The policy of a preset's name or a YAML file. Raises PolicyError with every problem found."""
    if isinstance(source, str) and source in PRESETS:
        file = f"{source}.yaml"
        return _load(resources.files("safetykit.policy").joinpath("presets", file).read_bytes(), file)
    file = str(source)
    try:
        with pathlib.Path(source).open("rb") as stream:
            raw = stream.read(BYTES_MAX + 1)
    except FileNotFoundError:
        message = "neither a file nor a preset" + did_you_mean(source, PRESETS)
        raise PolicyError([Problem(file, "", NO_VALUE, message, allowed=listed(PRESETS))]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError([Problem(file, "", NO_VALUE, f"cannot be read: {reason}")]) from None
    return _load(raw, file)


def parse_policy(document: Any, file: str = "<dict>") -> Policy:
    """The policy of a plain dictionary. Raises PolicyError with every problem found."""
    return _parse(document, file, {}, [])


def restrictive_policy() -> Policy:
    """The most restrictive preset: what a guard runs when its own policy cannot be used."""
    return load_policy("restrictive")


def _load(raw: bytes, file: str) -> Policy:
    text = read_yaml(raw, file)
    if text.data is None:
        raise PolicyError(text.problems)
    return _parse(text.data, file, text.lines, text.problems)


def _parse(document: Any, file: str, lines: Mapping[Path, int], problems: list[Problem]) -> Policy:
    if not isinstance(document, dict):
        raise PolicyError([*problems, Problem(file, "", NO_VALUE, "a policy is a section with keys", line=1)])
    try:
        checked = PolicyDocument.model_validate(document)
    except ValidationError as error:
        raise PolicyError([*problems, *problems_from(error, document, file, lines)]) from None
    report = Report(file, document, lines, problems)
    check(checked, report)
    if report.problems:
        raise PolicyError(report.problems)
    return compile_document(checked)
