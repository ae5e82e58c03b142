"""`safetykit shadow`: a second opinion on the commands, in a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("shadow")(shadow)


def shadow(
    model: Annotated[Path, typer.Argument(help="The network, an ONNX file.")],
    policy: Annotated[str, typer.Option(help="Policy of the guard: name of a preset, or path of a policy file.")],
    source: Annotated[str, typer.Option(help="Source of the policy that gets the model's answers.")],
    config: Annotated[Path, typer.Option("--map", help="Which values go in and come out (YAML).")],
    instance: Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")] = "default",
) -> None:
    """Run a shadow model beside a guard that runs, until SIGTERM or Ctrl-C.

    It can only object: without it, or with a late or senseless answer, the guard goes on without its opinion.
    """
    from safetykit.adapters.onnx_model import Model, Shadow, read_config, run_shadow
    from safetykit.policy import load_policy

    signals: list[int] = []

    def on_signal(number: int, _frame: Any) -> None:
        signals.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    asked = read_config(config)
    network = Model(model, asked)
    running = Shadow(network, asked, load_policy(policy), source, instance)
    typer.echo(f"shadow model {model}, SHA-256 {network.sha256}, answers into source {source}", err=True)
    try:
        answers = run_shadow(running, asked.rate_hz, lambda: bool(signals))
    finally:
        running.close()
    typer.echo(f"{answers} answers", err=True)
