"""A shadow model: an ONNX network in a process of its own, from the guard's mailboxes to a source of the policy.

It reads what the guard reads, at its own rate, and publishes what it would ask for, stamped with the oldest data it
used. It never writes anything else: a model that hangs, dies or answers nonsense is a source that is late or invalid.
The only module that imports onnxruntime.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from safetykit.errors import MailboxError, SafetykitError
from safetykit.policy.yaml_text import read_yaml
from safetykit.runtime import paths
from safetykit.runtime.mailbox import MailboxReader, MailboxWriter

if TYPE_CHECKING:
    from safetykit.policy import Policy

COMMAND_PREFIX = "command."  # a channel of the commands, among the names of inputs
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class ModelError(SafetykitError):
    """The model, its runtime or its configuration cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Output(_Part):
    """Where in the model's answer one input of the source is: value = element * scale + offset."""

    tensor: str
    index: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    scale: float = 1.0
    offset: float = 0.0


class Config(_Part):
    """What goes into the model and what comes out."""

    rate_hz: Annotated[float, Field(gt=0, le=1000)]
    age_ms: Annotated[float, Field(gt=0, le=60_000)] = Field(description="with older data the model is not asked")
    inputs: Annotated[dict[str, Annotated[list[str], Field(min_length=1, max_length=4096)]], Field(min_length=1)] = (
        Field(description="tensor: names of inputs of the policy, or command.CHANNEL, in the order of its elements")
    )
    outputs: Annotated[dict[str, Output], Field(min_length=1)] = Field(description="input of the source: element")


def read_config(path: Path) -> Config:
    """Read a configuration (YAML). Raises ModelError with everything that is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    text = read_yaml(raw, str(path))
    if text.problems:
        raise ModelError("\n".join(map(str, text.problems)))
    try:
        return Config.model_validate(text.data)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise ModelError("\n".join([f"{path}: {len(lines)} problems in the configuration", *lines])) from error


class Model:
    """One network, ready to run. Attributes: ``path``, ``sha256`` (hex)."""

    def __init__(self, path: Path, config: Config) -> None:
        """Raises ModelError: onnxruntime is missing, the file is no model, or the configuration does not fit it."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError("a shadow model needs onnxruntime: install safetykit[perception]") from error
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        self.path, self.sha256 = path, hashlib.sha256(data).hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the guard shares this machine
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has an exception of its own for each kind of broken file
            raise ModelError(f"{path}: not a model that onnxruntime can run: {error}") from error
        self._shapes = self._fit_inputs(config)
        self._names = sorted({output.tensor for output in config.outputs.values()})
        self._outputs = config.outputs
        known = [output.name for output in self._session.get_outputs()]
        if missing := [name for name in self._names if name not in known]:
            raise ModelError(f"{path}: no output {', '.join(missing)}; it has {', '.join(known)}")

    def _fit_inputs(self, config: Config) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Shape and type of each input tensor; dimensions that the model leaves open are 1."""
        declared = {tensor.name: tensor for tensor in self._session.get_inputs()}
        if set(declared) != set(config.inputs):
            raise ModelError(f"{self.path}: has the inputs {', '.join(declared)}, given are {', '.join(config.inputs)}")
        shapes = {}
        for name, tensor in declared.items():
            shape = tuple(size if isinstance(size, int) else 1 for size in tensor.shape)
            if tensor.type not in DTYPES:
                raise ModelError(f"{self.path}: input {name} is a {tensor.type}, expected {' or '.join(DTYPES)}")
            if math.prod(shape) != len(config.inputs[name]):
                given = len(config.inputs[name])
                raise ModelError(f"{self.path}: input {name} has {math.prod(shape)} elements, given are {given}")
            shapes[name] = shape, DTYPES[tensor.type]
        return shapes

    def answer(self, values: dict[str, list[float]]) -> dict[str, float]:
        """One run. An element that the answer does not have is NaN."""
        feeds = {name: np.array(values[name], kind).reshape(shape) for name, (shape, kind) in self._shapes.items()}
        tensors = dict(zip(self._names, self._session.run(self._names, feeds), strict=True))
        answer = {}
        for name, output in self._outputs.items():
            flat = np.asarray(tensors[output.tensor], np.float64).ravel()
            element = float(flat[output.index]) if output.index < flat.size else math.nan
            answer[name] = element * output.scale + output.offset
        return answer


@dataclass(frozen=True)
class _Place:
    """Where a value comes from: a mailbox, and the position in it."""

    box: str
    index: int


class Shadow:
    """One model at the mailboxes of one guard. Use :meth:`turn` again and again, then :meth:`close`."""

    def __init__(self, model: Model, config: Config, policy: Policy, source: str, instance: str = "default") -> None:
        """Raises ModelError: a name that the policy does not have. MailboxError: no guard with this policy, or the
        source has another writer."""
        self.model, self._config = model, config
        self._fields = _fields(policy, source, config)
        self._places = {name: [_place(policy, key) for key in keys] for name, keys in config.inputs.items()}
        self._directory = paths.run_dir(instance, create=False)
        digest = paths.guard_info(self._directory).get("policy", {}).get("digest")
        if digest != policy.digest:
            raise MailboxError(f"guard {instance!r} runs another policy (digest {str(digest)[:12]}) than was given")
        boxes = {place.box for places in self._places.values() for place in places}
        self._readers = {box: MailboxReader(self._directory / box) for box in boxes}
        self._writer = MailboxWriter(self._directory / paths.input_name(source))
        self._facts = self._directory / f"shadow-{source}.json"
        facts = {"pid": os.getpid(), "model": str(model.path), "sha256": model.sha256, "source": source}
        paths.write_json(self._facts, {**facts, "started_ns": time.monotonic_ns()})

    def turn(self, now_ns: int) -> bool:
        """Ask the model once, if all its data is there and fresh; True if an answer was published."""
        messages = {box: reader.read() for box, reader in self._readers.items()}
        stamps = [message.stamp_ns for message in messages.values() if message is not None]
        if len(stamps) < len(messages) or now_ns - min(stamps) > self._config.age_ms * 1e6:
            return False
        values: dict[str, list[float]] = {}
        for name, places in self._places.items():
            values[name] = []
            for place in places:
                message = messages[place.box]
                if message is None or place.index >= message.values.size:
                    return False
                values[name].append(float(message.values[place.index]))
        answer = self.model.answer(values)
        self._writer.publish([answer[name] for name in self._fields], stamp_ns=min(stamps))
        return True

    def close(self) -> None:
        """Leave the source to another writer."""
        self._writer.close()
        self._facts.unlink(missing_ok=True)


def _fields(policy: Policy, source: str, config: Config) -> list[str]:
    """Inputs of the source in order."""
    specs = {spec.name: spec for spec in policy.sources}
    if source not in specs:
        raise ModelError(f"policy {policy.name!r} has no source {source!r}; it has {', '.join(specs)}")
    fields = [policy.inputs[index] for index in specs[source].inputs]
    if set(fields) != set(config.outputs):
        raise ModelError(f"source {source!r} has the inputs {', '.join(fields)}, given are {', '.join(config.outputs)}")
    return fields


def _place(policy: Policy, name: str) -> _Place:
    if name.startswith(COMMAND_PREFIX):
        channel = name.removeprefix(COMMAND_PREFIX)
        if channel in policy.channels:
            return _Place(paths.COMMAND, policy.channel_index(channel))
    elif name in policy.inputs:
        number = policy.input_index(name)
        for spec in policy.sources:
            if number in spec.inputs:
                return _Place(paths.input_name(spec.name), spec.inputs.index(number))
    raise ModelError(f"policy {policy.name!r} has no input or channel {name!r}")


def run_shadow(shadow: Shadow, rate_hz: float, ended: Callable[[], bool]) -> int:
    """Turn at `rate_hz` until `ended`; returns the number of answers. A turn that takes too long skips others."""
    period_s, answers = 1.0 / rate_hz, 0
    due_s = time.monotonic()
    while not ended():
        answers += shadow.turn(time.monotonic_ns())
        due_s = max(due_s + period_s, time.monotonic())
        time.sleep(max(due_s - time.monotonic(), 0.0))
    return answers
