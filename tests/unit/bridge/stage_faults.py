"""Breaks the control flow of the guard's tick in one place at a time, on the source of the production functions.

Run interpreted (``NUMBA_DISABLE_JIT=1``) as ``python -m tests.unit.bridge.stage_faults``: it prints, as JSON, what the
production firmware makes of every broken tick. A stage is everything from the mark of the stage before up to its own
mark; so a jump over a stage, back to its beginning, or into another order is what a disturbed processor would do.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

from safetykit.core import protocol as p
from safetykit.core import step as step_module
from safetykit.core.vocabulary import State
from safetykit.runtime import loop
from tests.unit.bridge.core_board import Together, together

CORE = "CORE"  # the call of the whole step within the tick
PERSISTENT_TICKS = 10

Body = list[ast.stmt]
Blocks = dict[str, Body]  # by stage, in order; "" holds what stands outside of all stages


@dataclass
class Outcome:
    """What became of one fault."""

    once_refused: int  # frames the firmware refused because of one broken tick
    once_state: int  # its state some ticks later
    lasting_state: int  # its state when every tick is broken
    lasting_us: int  # until its outputs were off
    key_state: int  # its state after the key was turned meanwhile
    error: str = ""  # the broken tick did not even end


def function_of(module: ModuleType, name: str) -> ast.FunctionDef:
    tree = ast.parse(inspect.getsource(module))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)


def built(module: ModuleType, function: ast.FunctionDef, body: Body) -> Callable[..., Any]:
    """The function with another body. Names that a left-out stage would have set are 0, like any register's content."""
    names = sorted(
        {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    )
    zeroed = [ast.parse(f"{name} = 0").body[0] for name in names]
    made = ast.FunctionDef(function.name, function.args, [*zeroed, *body], [], None)
    whole = ast.fix_missing_locations(ast.Module([made], []))
    namespace = dict(vars(module))
    exec(compile(whole, f"<broken {function.name}>", "exec"), namespace)
    found: Callable[..., Any] = namespace[function.name]
    return found


def _mark(statement: ast.stmt) -> str | None:
    """The stage whose mark this statement is."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        text = ast.unparse(statement.value)
        if "passed(" in text:
            return text.rstrip(")").rsplit(", _", 1)[1]
    return None


def step_blocks() -> Blocks:
    body = function_of(step_module, "step").body[1:]  # without the docstring
    blocks: Blocks = {"BEGIN": body[:1]}
    block: Body = []
    for statement in body[1:]:
        block.append(statement)
        if (stage := _mark(statement)) is not None:
            blocks[stage], block = block, []
    assert not block
    return blocks


def tick_blocks() -> Blocks:
    blocks: Blocks = {"": []}
    block: Body = []
    for statement in function_of(loop, "tick").body[1:]:
        text = ast.unparse(statement)
        block.append(statement)
        if (stage := _mark(statement)) is not None:
            blocks[stage], block = block, []
        elif text.startswith("gather("):
            blocks["GATHER"], block = block[-1:], []
        elif text.startswith("device.take_over("):
            blocks[CORE], block = block, []
    blocks["after"] = block
    return blocks


def _swapped(blocks: Blocks, first: str, second: str) -> Blocks:
    names = list(blocks)
    a, b = names.index(first), names.index(second)
    names[a], names[b] = names[b], names[a]
    return {name: blocks[name] for name in names}


def variants(blocks: Blocks) -> Iterator[tuple[str, Blocks]]:
    """(what is broken, the blocks then): each stage left out, run twice, and in the place of the next one."""
    stages = [name for name in blocks if name not in ("", "after")]
    for stage in stages:
        yield f"{stage} left out", {**blocks, stage: []}
        yield f"{stage} twice", {**blocks, stage: [*blocks[stage], *blocks[stage]]}
    for first, second in itertools.pairwise(stages):
        yield f"{first} after {second}", _swapped(blocks, first, second)


def broken_ticks() -> Iterator[tuple[str, Callable[..., Any]]]:
    """(what is broken, the whole tick with it)."""
    tick = function_of(loop, "tick")
    start = tick.body[1]  # the progress is cleared before anything else
    assert "in_progress" in ast.unparse(start)
    for what, blocks in variants(tick_blocks()):
        yield what, built(loop, tick, [start, *(statement for block in blocks.values() for statement in block)])
    for what, blocks in variants(step_blocks()):
        yield what, _with_step(blocks)


def _with_step(blocks: Blocks) -> Callable[..., Any]:
    function = function_of(step_module, "step")
    broken = built(step_module, function, [statement for block in blocks.values() for statement in block])
    sound, tick = vars(loop)["step"], loop.tick

    def run(*arguments: Any) -> None:
        vars(loop)["step"] = broken
        try:
            tick(*arguments)
        finally:
            vars(loop)["step"] = sound

    return run


# ------------------------------------------------------------------ what the firmware makes of it


def at_work() -> Together:
    both = together()
    both.start()
    both.engage = 1.0
    both.ticks(3)
    assert both.state == State.ENGAGED, both.faults
    return both


def judge(broken: Callable[..., Any]) -> Outcome:
    sound, both = loop.tick, at_work()
    state = both.board.cycle.state
    before = int(state.refused)
    try:
        loop.tick = broken
        both.tick()
        loop.tick = sound
        both.ticks(4)
        once_refused, once_state = int(state.refused) - before, both.board.state
        loop.tick = broken
        started_us = both.board.now_us
        for _ in range(PERSISTENT_TICKS):
            both.tick()
            if both.board.state != p.STATE_RUN:
                break
        lasting_state, lasting_us = both.board.state, both.board.now_us - started_us
        both.turn_key()
        return Outcome(once_refused, once_state, lasting_state, lasting_us, both.board.state)
    except Exception as error:  # noqa: BLE001  the broken tick may do anything
        return Outcome(0, 0, 0, 0, 0, f"{type(error).__name__}: {error}")
    finally:
        loop.tick = sound


def main() -> None:
    outcomes = {what: asdict(judge(broken)) for what, broken in broken_ticks()}
    outcomes["nothing"] = asdict(judge(loop.tick))
    blocks = {**tick_blocks(), **step_blocks()}
    calls = {stage: _calls(block) for stage, block in blocks.items() if stage not in ("", "after", CORE)}
    json.dump({"outcomes": outcomes, "stages": list(blocks), "calls": calls}, sys.stdout)


def _calls(block: Body) -> int:
    """Calls in a stage besides its mark."""
    nodes = [node for statement in block if _mark(statement) is None for node in ast.walk(statement)]
    return sum(isinstance(node, ast.Call) for node in nodes)


if __name__ == "__main__":
    main()
