"""A guard, a shadow model and an operator as processes: the model objects, dies and is not missed; the operator takes
over and lets go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from safetykit.core.vocabulary import State
from safetykit.policy import Policy, parse_policy
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorView
from safetykit.runtime.mailbox import MailboxWriter
from tests.drive import BASE, document
from tests.unit.core.test_manual import MANUAL, SOURCES
from tests.unit.core.test_shadow import MODEL, SHADOW
from tests.unit.policy.edits import write_yaml
from tests.unit.runtime.running import Running, wait_for
from tests.unit.shadow.onnx_bytes import linear

CONFIG = {
    "rate_hz": 50,
    "age_ms": 500,
    "inputs": {"x": ["command.a", "speed_mps"]},
    "outputs": {"model_a": {"tensor": "y"}},
}
# Slow enough for a machine that does other things too
TIMING = {"period_ms": 20, "dt_max_ms": 100, "command_late_ms": 400, "command_stale_ms": 4000}
SLOW_MANUAL = {**MANUAL, "late_ms": 400, "stale_ms": 1000}
FOR_MS, SPEED = 200.0, 3.0


def made() -> dict[str, Any]:
    sources = {name: {**source, "age_ms": 4000} for name, source in {**SOURCES, "model": MODEL}.items()}
    sources["model"]["age_ms"] = 500
    timing = {**BASE["timing"], **TIMING}
    shadow = {**SHADOW, "for_ms": FOR_MS}
    return document(timing=timing, sources=sources, manual=SLOW_MANUAL, shadow=shadow, breakers={})


class Vehicle:
    """All sources and senders of one guard, repeated by the test."""

    def __init__(self, directory: Path, policy: Policy) -> None:
        self.policy = policy
        self.inputs = dict.fromkeys(policy.inputs, 0.0) | {"speed_mps": SPEED}
        own = [source for source in policy.sources if source.name != "model"]
        self.sources = [(source, MailboxWriter(directory / paths.input_name(source.name))) for source in own]
        self.command = MailboxWriter(directory / paths.COMMAND)
        self.manual = MailboxWriter(directory / paths.command_name(paths.MANUAL))
        self.asked, self.operator = 0.0, 0.0

    def send(self) -> None:
        for source, writer in self.sources:
            writer.publish([self.inputs[self.policy.inputs[index]] for index in source.inputs])
        self.command.publish([self.asked])
        self.manual.publish([self.operator])


class Scene:
    def __init__(self, folder: Path) -> None:
        file = write_yaml(made(), folder / "policy.yaml")
        self.folder, self.policy = folder, parse_policy(made())
        self.guard = Running(folder, "--policy", str(file)).ready()
        self.vehicle = Vehicle(self.guard.directory, self.policy)
        self.model: subprocess.Popen[bytes] | None = None

    def until(self, state: State, sent: float | None = None, fault: str | None = None) -> ActuatorView:
        """Sends until the guard's output is so."""

        def look() -> ActuatorView | None:
            self.vehicle.send()
            time.sleep(0.01)
            view = self.guard.view()
            right = view.state == state and (sent is None or abs(float(view.sent[0]) - sent) < 1e-9)
            return view if right and (fault is None or fault in view.fault_names) else None

        return wait_for(look)  # type: ignore[no-any-return]

    def engage(self) -> None:
        self.vehicle.inputs["engage"] = 0.0
        self.until(State.STANDBY)
        for _ in range(10):
            self.vehicle.send()
            time.sleep(0.02)
        self.vehicle.inputs["engage"] = 1.0
        self.until(State.ENGAGED)

    def start_model(self, network: bytes) -> None:
        path, config = self.folder / "model.onnx", self.folder / "map.json"
        path.write_bytes(network)
        config.write_text(json.dumps(CONFIG))
        arguments = [str(path), "--policy", str(self.folder / "policy.yaml"), "--source", "model", "--map", str(config)]
        with (self.folder / "model.txt").open("wb") as log:
            self.model = subprocess.Popen([sys.executable, "-m", "safetykit", "shadow", *arguments], stderr=log)
        wait_for(lambda: (self.guard.directory / "shadow-model.json").exists(), 60.0)

    def close(self) -> None:
        if self.model is not None:
            self.model.kill()
            self.model.wait()
        self.guard.close()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv(paths.RUN_DIR_VARIABLE, str(tmp_path / "run"))
    made = Scene(tmp_path)
    yield made
    made.close()


def test_the_model_objects_and_is_not_missed(scene: Scene) -> None:
    scene.start_model(linear([[1], [0]], [0]))  # what is asked, unless ...
    assert scene.model is not None
    scene.engage()
    scene.vehicle.asked = 1.0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        assert "SHADOW" not in scene.until(State.ENGAGED).fault_names
    scene.model.send_signal(signal.SIGTERM)
    assert scene.model.wait(20) == 0
    told = (scene.folder / "model.txt").read_text()
    assert "SHA-256" in told
    assert int(told.split()[-2]) > 10
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        assert "SHADOW" not in scene.until(State.ENGAGED, 1.0).fault_names  # gone, and nobody minds
    scene.start_model(linear([[1], [1]], [0]))  # ... it counts the speed in
    view = scene.until(State.RECOVERY, fault="SHADOW")
    assert "SHADOW" in view.fault_names


def test_the_operator_takes_over_and_lets_go(scene: Scene) -> None:
    scene.engage()
    scene.vehicle.asked, scene.vehicle.operator = 1.0, -2.0
    scene.until(State.ENGAGED, 1.0)
    scene.vehicle.inputs["take"] = 1.0
    scene.until(State.ENGAGED, -2.0)
    scene.vehicle.inputs["take"] = 0.0
    scene.until(State.STANDBY, 0.0)
    scene.engage()
    scene.until(State.ENGAGED, 1.0)
    scene.vehicle.inputs["take"] = 1.0
    scene.until(State.ENGAGED, -2.0)
    scene.vehicle.manual.publish = lambda values: 0  # type: ignore[method-assign, assignment, misc]
    scene.until(State.RECOVERY, fault="MANUAL_LOST")
