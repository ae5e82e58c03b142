"""The shadow model: a real network, at the mailboxes of a guard."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from safetykit.adapters.onnx_model import Model, ModelError, Shadow, read_config, run_shadow
from safetykit.errors import MailboxError
from safetykit.policy import Policy, parse_policy
from safetykit.runtime import paths
from safetykit.runtime.mailbox import MailboxReader, MailboxWriter
from safetykit.runtime.wiring import Station
from tests.unit.core.test_shadow import shadowed
from tests.unit.shadow.onnx_bytes import linear

CONFIG = """
rate_hz: 100
age_ms: 100
inputs: {x: [speed_mps, command.a]}
outputs: {model_a: {tensor: y, index: 1, scale: 2, offset: 0.5}}
"""


@pytest.fixture
def policy() -> Policy:
    return parse_policy(shadowed())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "map.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """y = (x0 + x1, x0 - x1 + 1)."""
    path = tmp_path / "model.onnx"
    path.write_bytes(linear([[1, 1], [1, -1]], [0, 1]))
    return path


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy) -> Any:
    monkeypatch.setenv(paths.RUN_DIR_VARIABLE, str(tmp_path / "run"))
    made = Station(paths.run_dir(), policy.limits, policy.timing, [source.name for source in policy.sources])
    paths.write_json(made.directory / paths.GUARD_INFO, {"policy": {"digest": policy.digest}})
    yield made
    made.close()


def test_the_network_answers_what_it_was_made_for(network: Path, config: Path) -> None:
    model = Model(network, read_config(config))
    assert model.answer({"x": [3.0, 1.0]}) == {"model_a": (3.0 - 1.0 + 1.0) * 2 + 0.5}
    assert model.sha256 == hashlib.sha256(network.read_bytes()).hexdigest()


def test_it_publishes_with_the_stamp_of_the_oldest_data_it_used(
    station: Station, network: Path, config: Path, policy: Policy
) -> None:
    asked = read_config(config)
    shadow = Shadow(Model(network, asked), asked, policy, "model")
    answers = MailboxReader(station.directory / paths.input_name("model"))
    now_ns = time.monotonic_ns()
    assert not shadow.turn(now_ns)  # no data at all
    vehicle = MailboxWriter(station.directory / paths.input_name("vehicle"))
    command = MailboxWriter(station.directory / paths.COMMAND)
    vehicle.publish([0.0, 3.0, 0.0], stamp_ns=now_ns - 7)
    assert not shadow.turn(now_ns)  # half of the data
    command.publish([1.0], stamp_ns=now_ns - 3)
    assert shadow.turn(now_ns)
    message = answers.read()
    assert message is not None
    assert (message.values.tolist(), message.stamp_ns) == ([6.5], now_ns - 7)
    assert not shadow.turn(now_ns + 101_000_000)  # too old by now
    command.publish([], stamp_ns=now_ns)
    assert not shadow.turn(now_ns)  # another size than the policy says
    command.publish([math.nan], stamp_ns=now_ns)
    assert shadow.turn(now_ns)
    message = answers.read()
    assert message is not None
    assert math.isnan(message.values[0])
    with pytest.raises(MailboxError, match="has a writer already"):
        Shadow(Model(network, asked), asked, policy, "model")
    shadow.close()
    assert not list(station.directory.glob("shadow-*"))


def test_it_keeps_its_own_rate(station: Station, network: Path, config: Path, policy: Policy) -> None:
    asked = read_config(config)
    shadow = Shadow(Model(network, asked), asked, policy, "model")
    MailboxWriter(station.directory / paths.input_name("vehicle")).publish([0.0, 0.0, 0.0])
    MailboxWriter(station.directory / paths.COMMAND).publish([0.0])
    end = time.monotonic() + 0.09
    assert 2 <= run_shadow(shadow, 100.0, lambda: time.monotonic() > end) <= 11


def test_another_policy_is_refused(station: Station, network: Path, config: Path) -> None:
    asked = read_config(config)
    other = parse_policy(shadowed(version="2.0.0"))
    with pytest.raises(MailboxError, match="runs another policy"):
        Shadow(Model(network, asked), asked, other, "model")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("rate_hz: 100", "3 problems in the configuration"),
        ("[", "not valid YAML"),
        (CONFIG.replace("100\nage", "0\nage"), "greater than 0"),
        (CONFIG + "more: 1", "more"),
        (CONFIG.replace("{x:", "{z:"), "has the inputs x, given are z"),
        (CONFIG.replace("speed_mps, ", ""), "input x has 2 elements, given are 1"),
        (CONFIG.replace("tensor: y", "tensor: q"), "no output q; it has y"),
        (CONFIG.replace("model_a", "model_b"), "has the inputs model_a, given are model_b"),
        (CONFIG.replace("speed_mps", "speed"), "no input or channel 'speed'"),
        (CONFIG.replace("command.a", "command.b"), "no input or channel 'command.b'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(
    station: Station, network: Path, tmp_path: Path, policy: Policy, wrong: str, words: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(wrong)

    def begin() -> None:
        asked = read_config(path)
        Shadow(Model(network, asked), asked, policy, "model")

    with pytest.raises(ModelError) as caught:
        begin()
    assert words in str(caught.value)


def test_an_element_that_the_answer_does_not_have_is_no_number(network: Path, tmp_path: Path) -> None:
    path = tmp_path / "far.yaml"
    path.write_text(CONFIG.replace("index: 1", "index: 7"))
    assert math.isnan(Model(network, read_config(path)).answer({"x": [0.0, 0.0]})["model_a"])


def test_an_unknown_source_is_told(station: Station, network: Path, config: Path, policy: Policy) -> None:
    asked = read_config(config)
    with pytest.raises(ModelError, match="no source 'oracle'; it has vehicle, operator, model"):
        Shadow(Model(network, asked), asked, policy, "oracle")


def test_what_is_no_model_is_told(tmp_path: Path, config: Path) -> None:
    asked = read_config(config)
    path = tmp_path / "broken.onnx"
    with pytest.raises(ModelError, match="cannot be read"):
        Model(path, asked)
    path.write_bytes(b"no network at all")
    with pytest.raises(ModelError, match="not a model"):
        Model(path, asked)
    with pytest.raises(ModelError, match="cannot be read"):
        read_config(tmp_path / "nothing.yaml")


def test_without_the_runtime_the_error_says_what_to_install(
    network: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"install safetykit\[perception\]"):
        Model(network, read_config(config))
