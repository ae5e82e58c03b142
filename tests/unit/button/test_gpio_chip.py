"""The one file that knows libgpiod: what it asks for, and what it says when it does not get it."""

from __future__ import annotations

import inspect
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import gpiod as real
import pytest

from firmware_bridge import gpio_chip
from firmware_bridge.gpio_chip import GpioError, GpioLines, load_gpiod
from tests.unit.button.contacts import LINES, Contacts
from tests.unit.button.fake import gpiod as fake


def opened(contacts: Contacts, lines: tuple[int, int] = LINES) -> GpioLines:
    return GpioLines(fake, str(contacts.chip), lines)


def refused(chip: str | Path, lines: tuple[int, int] = LINES, module: Any = fake) -> str:
    with pytest.raises(GpioError) as caught:
        GpioLines(module, str(chip), lines)
    return str(caught.value)


# ------------------------------------------------------------------ the lines


def test_inputs_are_asked_for_so_that_a_cut_wire_reads_open(contacts: Contacts) -> None:
    lines = opened(contacts)
    request = fake.LineRequest.latest
    assert request.consumer == "safetykit button"
    assert list(request.config) == [LINES]
    asked = request.config[LINES]
    assert (asked.direction, asked.bias) == (fake.line.Direction.INPUT, fake.line.Bias.PULL_DOWN)
    assert asked.edge_detection == fake.line.Edge.BOTH
    assert asked.active_low is False
    assert asked.debounce_period == timedelta(), "a debounce in the kernel delays every trip"
    lines.close()
    assert request.released


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_levels_are_those_of_the_lines_in_their_order(contacts: Contacts, a: int, b: int) -> None:
    contacts.set(a, b)
    assert opened(contacts).levels() == (bool(a), bool(b))
    assert opened(contacts, (LINES[1], LINES[0])).levels() == (bool(b), bool(a))


def test_an_edge_wakes_and_is_used_up(contacts: Contacts) -> None:
    lines = opened(contacts)
    assert not lines.wait(0.001)
    contacts.edges(60)
    assert lines.wait(60.0)
    assert not lines.wait(0.001)


def test_a_chip_that_has_gone_is_an_os_error_and_can_be_closed(contacts: Contacts) -> None:
    lines = opened(contacts)
    contacts.remove()
    with pytest.raises(OSError, match="No such device"):
        lines.wait(60.0)
    with pytest.raises(OSError, match="No such device"):
        lines.levels()
    lines.close()


# ------------------------------------------------------------------ what can be wrong


def test_no_such_chip(contacts: Contacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpio_chip, "DEVICES", str(contacts.chip.parent))
    missing = contacts.chip.parent / "gpiochip9"
    assert refused(missing) == f"{missing}: no such chip; this computer has {contacts.chip}"
    monkeypatch.setattr(gpio_chip, "DEVICES", str(contacts.chip))
    assert refused(missing).endswith("this computer has none")


def test_no_right(contacts: Contacts, monkeypatch: pytest.MonkeyPatch) -> None:
    contacts.mark("denied")
    monkeypatch.setattr(Path, "group", lambda self: "gpio")
    assert refused(contacts.chip).endswith("no right to use it; add yourself to its group (gpio) and log in again")
    monkeypatch.setattr(Path, "group", lambda self: "root")
    assert "udev rule" in refused(contacts.chip)


def test_a_line_in_use_is_told_with_its_user(contacts: Contacts) -> None:
    contacts.mark("user-27", "spi0 CS0")
    expected = f"{contacts.chip} lines 17 and 27: line 27 is in use by 'spi0 CS0'"
    assert refused(contacts.chip) == expected
    contacts.mark("user-17")
    assert "line 17 is in use by 'the kernel'; line 27" in refused(contacts.chip)


def test_a_line_that_cannot_be_an_input(contacts: Contacts) -> None:
    contacts.mark("refuses")
    assert refused(contacts.chip).endswith("lines 17 and 27: cannot be used: Invalid argument")


@pytest.mark.parametrize("lines", [(17, 58), (1000, 27), (-1, 27)])
def test_a_line_that_the_chip_does_not_have(contacts: Contacts, lines: tuple[int, int]) -> None:
    assert refused(contacts.chip, lines).endswith("no such line; the chip has 58, from 0 to 57")


def test_something_else_than_a_chip(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path}: not a GPIO chip"


# ------------------------------------------------------------------ the module


def test_the_old_module_of_the_same_name_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("gpiod")
    old.__dict__.update(__version__="1.6.3", __file__="dist-packages/gpiod.so", Chip=object, LINE_REQ_DIR_IN=1)
    monkeypatch.setitem(sys.modules, "gpiod", old)
    with pytest.raises(GpioError, match=r"gpiod 1\.6\.3 in dist-packages/gpiod\.so is the old interface.*python3-lib"):
        load_gpiod()


def test_a_missing_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(GpioError, match=r"not installed; install safetykit\[gpio\]"):
        load_gpiod()


def test_the_real_module_is_accepted() -> None:
    assert load_gpiod() is real


@pytest.mark.parametrize("path", ["/dev/null", "/etc/passwd", "/etc"])
def test_the_real_module_says_what_is_no_chip(path: str) -> None:
    assert refused(path, module=real) == f"{path}: not a GPIO chip"


def test_the_real_module_says_what_is_not_there(tmp_path: Path) -> None:
    assert "no such chip" in refused(tmp_path / "gpiochip0", module=real)


USED = {
    "Chip": ("get_info", "get_line_info", "request_lines"),
    "LineRequest": ("get_values", "wait_edge_events", "read_edge_events", "release"),
}


@pytest.mark.parametrize("name", USED)
def test_the_fake_is_called_as_the_real_module_is(name: str) -> None:
    for method in USED[name]:
        ours, theirs = (inspect.signature(getattr(getattr(module, name), method)) for module in (fake, real))
        assert list(ours.parameters) == list(theirs.parameters), method
        for parameter, value in ours.parameters.items():
            assert value.default == theirs.parameters[parameter].default, (method, parameter)


def test_the_fake_has_the_settings_of_the_real_module() -> None:
    theirs = inspect.signature(real.LineSettings).parameters
    for parameter in inspect.signature(fake.LineSettings).parameters:
        assert parameter in theirs
    for enum in ("Value", "Direction", "Edge", "Bias"):
        for member in getattr(fake.line, enum):
            assert getattr(real.line, enum)[member.name].value == member.value, member
    assert [bool(value) for value in real.line.Value] == [bool(value) for value in fake.line.Value] == [False, True]
