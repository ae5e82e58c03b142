"""Power-on self-test: is the compiled core on this machine the one that was tested?

* Known answers: recorded drives of the presets, made when the core was tested, must come out again. Integers exactly;
  values within TOLERANCE, because the last bit of a sine differs between C libraries.
* Two ways of computing: the policy in use is driven through the compiled core and, in another process, through the
  very same functions interpreted. Every byte of every frame must agree.

Any difference, and anything that cannot be checked, is a problem; with a problem the guard never leaves BOOT.

``python -m safetykit.runtime.selftest --write`` records the known answers again after the core or a preset changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from safetykit.core.layout import FRAME, LAYOUT_VERSION, LIMITS_SIZE, TIMING_SIZE, new_frames
from safetykit.core.step import start, step
from safetykit.runtime.atomics import INTERPRETED
from safetykit.runtime.selftest_script import TICKS, Script

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ANSWERS = Path(__file__).with_name("known_answers.npz")
PRESETS = ("quadrotor", "car-torque", "car-angle", "rover", "restrictive")
TOLERANCE = 1e-9
TWIN_S = 20.0  # the interpreted twin needs about one second
CURE = "if the core was changed on purpose, record the answers again"
INTEGERS = ("out_action", "st_state", "out_faults", "out_power", "out_request_bits", "out_function", "st_stop_event")


@dataclass(frozen=True)
class Drive:
    """What came out of the core over one script."""

    sent: Floats  # (TICKS, CHANNELS_MAX)
    integers: Ints  # (TICKS, len(INTEGERS))
    digest: str  # SHA-256 over every frame


def drive(limits: Floats, timing: Ints) -> Drive:
    """Run the script of a policy through :func:`step`, compiled or, with ``NUMBA_DISABLE_JIT=1``, interpreted."""
    frames = new_frames(1)
    frame = frames.view(np.recarray)[0]
    start(limits, timing, frame)
    script, digest = Script(limits, timing), hashlib.sha256()
    sent, integers = [], []
    for tick in range(TICKS):
        script.fill(frame, tick)
        step(limits, timing, frame)
        digest.update(frames.tobytes())
        sent.append(frames["out_sent"][0].copy())
        integers.append([int(frame[name]) for name in INTEGERS])
    return Drive(np.array(sent), np.array(integers, np.int64), digest.hexdigest())


def check(limits: Floats, timing: Ints) -> list[str]:
    """Problems found with the core, for the presets and for the policy in use; empty when all is well."""
    twin = _start_twin(limits, timing)
    problems = []
    try:
        for name, answer in _recorded():
            problems += differences(name, answer, drive(answer.limits, answer.timing))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        problems.append(f"known answers cannot be read: {error}")
    return problems + _twin_differences(twin, drive(limits, timing).digest)


# ---------------------------------------------------------------------- known answers


@dataclass(frozen=True)
class Answer:
    """One recorded drive, with the policy it belongs to."""

    limits: Floats
    timing: Ints
    sent: Floats
    integers: Ints


def _recorded() -> Iterator[tuple[str, Answer]]:
    with np.load(ANSWERS, allow_pickle=False) as file:
        if int(file["layout"]) != LAYOUT_VERSION or int(file["frame_size"]) != FRAME.itemsize:
            raise ValueError("made for another memory layout")
        for name in PRESETS:
            limits, timing = file[f"{name}/limits"], file[f"{name}/timing"]
            if limits.shape != (LIMITS_SIZE,) or timing.shape != (TIMING_SIZE,):
                raise ValueError(f"{name} has arrays of another size")
            limits.flags.writeable = timing.flags.writeable = False
            yield name, Answer(limits, timing, file[f"{name}/sent"], file[f"{name}/integers"])


def differences(name: str, answer: Answer, made: Drive) -> list[str]:
    if answer.integers.shape != made.integers.shape or answer.sent.shape != made.sent.shape:
        return [f"{name}: the known answer has another length"]
    wrong = np.any(answer.integers != made.integers, axis=1)
    wrong |= ~np.all(np.abs(answer.sent - made.sent) <= TOLERANCE, axis=1)  # a NaN is wrong, too
    if not wrong.any():
        return []
    count, first = int(wrong.sum()), int(wrong.argmax())
    return [f"{name}: {count} of {TICKS} ticks differ from the known answer, first tick {first}; {CURE}"]


def record() -> dict[str, Any]:
    """The known answers of the present core and presets, as arrays by name."""
    from safetykit.policy import load_policy

    arrays: dict[str, Any] = {"layout": np.int64(LAYOUT_VERSION), "frame_size": np.int64(FRAME.itemsize)}
    for name in PRESETS:
        policy = load_policy(name)
        made = drive(policy.limits, policy.timing)
        arrays |= {f"{name}/limits": policy.limits, f"{name}/timing": policy.timing}
        arrays |= {f"{name}/sent": made.sent, f"{name}/integers": made.integers}
    return arrays


# ---------------------------------------------------------------------- interpreted twin


def _start_twin(limits: Floats, timing: Ints) -> subprocess.Popen[bytes] | str:
    """The other process, already computing; or why there is none."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "safetykit.runtime.selftest", "--twin"]
    try:
        twin = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    except OSError as error:
        return str(error)
    assert twin.stdin is not None
    try:
        twin.stdin.write(limits.tobytes() + timing.tobytes())
        twin.stdin.close()
    except OSError as error:
        twin.kill()
        twin.wait()
        return str(error)
    twin.stdin = None
    return twin


def _twin_differences(twin: subprocess.Popen[bytes] | str, digest: str) -> list[str]:
    if isinstance(twin, str):
        return [f"the interpreted twin cannot run: {twin}"]
    try:
        answer = json.loads(twin.communicate(timeout=TWIN_S)[0])
    except subprocess.TimeoutExpired:
        twin.kill()
        twin.wait()
        return [f"the interpreted twin did not answer within {TWIN_S:.0f} s"]
    except ValueError:
        return [f"the interpreted twin ended with code {twin.returncode} and no answer"]
    if answer != {"interpreted": True, "digest": digest}:
        return ["the compiled and the interpreted core differ for this policy"]
    return []


def _answer_as_twin() -> None:
    """Read a policy from standard input, drive it, write the digest."""
    data = sys.stdin.buffer.read()
    limits = np.frombuffer(data, np.float64, LIMITS_SIZE)
    timing = np.frombuffer(data, np.int64, TIMING_SIZE, LIMITS_SIZE * 8)
    sys.stdout.write(json.dumps({"interpreted": INTERPRETED, "digest": drive(limits, timing).digest}))


def main() -> None:
    """``--write`` records the known answers; ``--twin`` is for the guard's own use."""
    parser = argparse.ArgumentParser(prog="safetykit.runtime.selftest")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="record the known answers again")
    group.add_argument("--twin", action="store_true", help="compute the digest for the policy on standard input")
    if parser.parse_args().twin:
        _answer_as_twin()
    else:
        np.savez_compressed(ANSWERS, **record())


if __name__ == "__main__":
    main()
