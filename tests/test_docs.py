"""Documents say what is true: links resolve, commands exist, examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from safetykit.adapters.cli import build_app

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "hw").glob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
README_LINES_MAX = 60  # one screen
PICTURE_BYTES_MAX = 200_000


def blocks(text: str, language: str) -> list[str]:
    """Contents of all fenced blocks that start with exactly this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Words of every command line shown after a prompt, without comments."""
    lines = re.findall(r"^\$ (.+)$", "".join(blocks(text, "console")), re.MULTILINE)
    return [re.sub(r"\s+#.*", "", line).split() for line in lines]


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        assert path.exists(), f"{page.name}: {target} does not exist"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{page.name}: {target} has no such title"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that ``safetykit words...`` reaches, and the words left over."""
    command: Any = typer.main.get_command(build_app())
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"safetykit {' '.join(words)}: no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] == "make":
            assert words[1] in make_targets(), f"{page.name}: {' '.join(words)}"
        if words[0] == "safetykit":
            command, rest = find_command(words[1:])
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            asked = {word.split("=")[0] for word in rest if word.startswith("--")} - {"--help", "--ros-args"}
            assert asked <= known, f"{page.name}: {' '.join(words)}: no option {sorted(asked - known)}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_examples_run(page: Path) -> None:
    for example in blocks(page.read_text(encoding="utf-8"), "python"):
        result = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, cwd=ROOT, check=False)
        assert result.returncode == 0, f"{page.name}:\n{example}\n{result.stderr}"


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w.-]+\.md)\)", index))
    missing = {page.name for page in (ROOT / "docs").glob("*.md")} - linked - {"index.md"}
    assert not missing, f"docs/index.md does not mention {sorted(missing)}"


def test_readme_is_one_screen_and_says_what_it_is_not() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= README_LINES_MAX
    assert "Not a certified safety component" in text
    assert ["make", "demo"] in commands(text)
    assert ["make", "test"] in commands(text)


def test_the_picture_is_small_enough() -> None:
    for picture in (ROOT / "docs" / "img").iterdir():
        assert picture.stat().st_size <= PICTURE_BYTES_MAX, picture.name


def test_help_needs_neither_numba_nor_rclpy() -> None:
    code = (
        "import sys; from safetykit.adapters.cli import build_app; build_app(); "
        "heavy = {'numba', 'rclpy', 'matplotlib', 'plotly'} & set(sys.modules); sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, f"building the command line imports {result.stderr}"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--version"], 0, "safetykit "),
        (["--help"], 0, "policy"),
        (["no-such-command"], 2, "No such command"),
        (["run"], 2, "policy"),
        (["run", "--policy", "no-such-policy"], 2, "no-such-policy"),
        (["log", "verify", "no-such-log"], 2, "no-such-log"),
    ],
)
def test_exit_codes_and_messages_of_the_command(arguments: list[str], code: int, message: str) -> None:
    command = [sys.executable, "-m", "safetykit", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == code, result.stderr
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
