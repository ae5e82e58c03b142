"""Whole cycles of firmware and naive model side by side: the same bytes on the line, the same outputs."""

from __future__ import annotations

from tests.firmware.day import IMAGE, Day


def test_firmware_and_model_send_and_drive_the_same_in_every_cycle() -> None:
    for seed in (11, 12):
        day = Day(seed)
        for number, (firmware, model) in enumerate(day.cycles(15_000)):
            assert firmware == model, f"seed {seed}, cycle {number}"
            assert day.stand.board.fed == number + 1
        assert day.states["RUN"] > 2_000
        assert day.states["ARMED"] > 5
        assert len({stop.cause for stop in day.twin.model.events}) >= 3


def test_both_find_damage_of_the_program_in_the_same_cycle() -> None:
    for place in (0, 64, len(IMAGE) - 1):
        day = Day(13)
        for number, (firmware, model) in enumerate(day.cycles(3_000)):
            assert firmware == model, f"cycle {number}"
            if number == 2_500:
                day.stand.image[place] ^= 4
                day.twin.image[place] ^= 4
        assert day.twin.model.locked
        assert day.twin.model.events[-1].cause in ("PROGRAM", "CHANNEL")
