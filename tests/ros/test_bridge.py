"""The ROS 2 node with an emergency-stop microcontroller behind its guard: the red button reaches every topic."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from tests.ros.stand import Stand

pytestmark = pytest.mark.ros

READY_S = 90.0  # node and guard start from nothing, on a busy machine


def test_the_button_stops_what_the_node_sends(tmp_path: Path, policy_file: Path) -> None:
    with QemuBoard() as board:
        stand = Stand(tmp_path, policy_file, ["--bridge", board.port])
        try:
            stand.state("EMERGENCY_STOP")  # every start: nobody has turned the key yet
            assert stand.observer.e_stop[-1:] == [True]
            ready = (("streak", p.STREAK_MIN), ("host_rest", p.REST_YES), ("host_command", p.COMMAND_STOP))
            board.wait(lambda: all(board.state(name) == value for name, value in ready), "guard", READY_S)
            board.turn_key()
            board.wait_state(p.STATE_ARMED)
            stand.observer.wait(lambda: stand._reset(), "reset")
            stand.state("STANDBY")
            board.wait_power(True)
            stand.drive(stand.autonomy(), 0.2, 0.0)
            board.press()
            board.wait_power(False)
            stand.state("EMERGENCY_STOP")
            stand.observer.wait(lambda: stand.observer.sent[-1] == (0.0, 0.0), "standing still")
            stand.observer.wait(lambda: stand.observer.e_stop[-1:] == [True], "e-stop told")
        finally:
            stand.close()
