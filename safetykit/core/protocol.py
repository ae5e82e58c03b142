"""Constants of the link to the emergency-stop microcontroller.

Written by `make protocol` from hw/protocol.yaml; do not edit.
"""

from __future__ import annotations

from enum import IntEnum

VERSION = 1
CRC_REFLECTED = 0xC8DF352F
SYNC_HOST = 0xA5  # first byte from the host
SYNC_MCU = 0x5A  # first byte from the MCU; an echo of its own bytes is nothing to either side
TYPE_HEARTBEAT = 0xC3  # host -> MCU
TYPE_STATUS = 0x3C  # MCU -> host, one for each heartbeat
TYPE_DIAG = 0x66  # MCU -> host, behind every fourth status and behind the first one after a stop
COMMAND_STOP = 0x0F  # stop now; counts even in a frame that is otherwise refused
COMMAND_RUN = 0xF0  # the guard would let actuators have power
REST_YES = 0x96  # the reset conditions of the guard's policy hold
REST_NO = 0x69  # they do not
STATE_SELFTEST = 0x33  # relays open; RAM and program are being checked
STATE_STOPPED = 0xAA  # relays open; latched until the reset key
STATE_ARMED = 0xCC  # relays open; reset by the key, waits for the guard
STATE_RUN = 0x55  # relays closed

IN_CHANNEL_A = 1 << 0  # emergency-stop channel A closed
IN_CHANNEL_B = 1 << 1  # emergency-stop channel B closed
IN_KEY = 1 << 2  # reset key pressed
IN_RELEASED_1 = 1 << 3  # mirror contact shows relay 1 released
IN_RELEASED_2 = 1 << 4  # mirror contact shows relay 2 released
IN_RELAY_1 = 1 << 5  # output to relay 1 on
IN_RELAY_2 = 1 << 6  # output to relay 2 pulsing
IN_LOCKED = 1 << 7  # a fault that only a power cycle clears

BLOCK_LOCKED = 1 << 0  # a fault that only a power cycle clears
BLOCK_CHANNELS = 1 << 1  # the emergency-stop channels are not both closed, or have not been for long enough
BLOCK_RELAYS = 1 << 2  # a relay is not shown released
BLOCK_LINK = 1 << 3  # not enough right answers in a row from the guard
BLOCK_COMMAND = 1 << 4  # the guard does not say STOP
BLOCK_MOVING = 1 << 5  # the guard does not say that the vehicle is at rest
BLOCK_KEY = 1 << 6  # the reset key is stuck or was held since the start

PAGE_IDENT = 0
PAGE_LINK = 1
PAGE_HEALTH = 2
PAGE_EVENT = 8
LINK_US = 100_000  # no right answer for this long stops
EARLY_US = 2_000  # an answer sooner than this after its challenge is wrong
RELEASE_US = 100_000  # both channels closed for this long before a reset
DISCREPANCY_US = 500_000  # the channels may differ for this long
KEY_MIN_US = 100_000  # shortest press of the reset key
KEY_MAX_US = 3_000_000  # longest press of the reset key
KEY_STUCK_US = 10_000_000  # a key pressed for longer is stuck
ARMED_US = 10_000_000  # ARMED ends after this time
GAP_US = 10_000  # an unfinished frame is dropped after this silence
FEEDBACK_US = 50_000  # a relay must follow within this time
CYCLE_US = 20_000  # longest time from cycle to cycle
BAD_LIMIT = 3  # bad-event counter: a wrong frame adds one, a right one takes one away; at this value it stops
STREAK_MIN = 10  # right answers in a row before a reset
DIAG_EVERY = 4  # status frames per diagnostic frame
EVENTS = 8  # stop events remembered
FRAME_BYTES = 16  # bytes of every frame, in both directions
BODY_BYTES = 12  # bytes under the checksum
PROGRESS_ROTATE = 7


class Stage(IntEnum):
    """Stages of a tick in their order."""

    GATHER = 0
    BEGIN = 1
    COMMAND = 2
    SOURCES = 3
    ZONES = 4
    CONDITIONS = 5
    PERMISSION = 6
    FUNCTIONS = 7
    CROSSCHECK = 8
    ENVELOPE = 9
    STATE = 10
    SWITCH = 11
    COMMIT = 12
    ENCODE = 13
    SEND = 14
    RECORD = 15


class Cause(IntEnum):
    """Why the microcontroller stopped."""

    RAM = 1  # a copy of the state differs from its complement
    PROGRAM = 2  # the program's checksum is wrong
    RELAY_STUCK = 3  # a relay did not release in time
    RELAY_DEAD = 4  # a relay did not pull in in time
    CHANNEL = 5  # an emergency-stop channel opened
    DISCREPANCY = 6  # the two channels differed for too long
    CYCLE = 7  # the MCU's own cycle came too late
    HOST_BAD = 8  # too many wrong frames from the host
    HOST_SILENT = 9  # no right answer from the host in time
    HOST_STOP = 10  # the host asked for a stop
    EXPIRED = 11  # armed but not run in time
    POWER_UP = 12  # power came on
    WATCHDOG = 13  # the MCU's watchdog reset it
    RESTART = 14  # the MCU was reset without losing power


CAUSE_TEXT = {
    Cause.RAM: "a copy of the state differs from its complement",
    Cause.PROGRAM: "the program's checksum is wrong",
    Cause.RELAY_STUCK: "a relay did not release in time",
    Cause.RELAY_DEAD: "a relay did not pull in in time",
    Cause.CHANNEL: "an emergency-stop channel opened",
    Cause.DISCREPANCY: "the two channels differed for too long",
    Cause.CYCLE: "the MCU's own cycle came too late",
    Cause.HOST_BAD: "too many wrong frames from the host",
    Cause.HOST_SILENT: "no right answer from the host in time",
    Cause.HOST_STOP: "the host asked for a stop",
    Cause.EXPIRED: "armed but not run in time",
    Cause.POWER_UP: "power came on",
    Cause.WATCHDOG: "the MCU's watchdog reset it",
    Cause.RESTART: "the MCU was reset without losing power",
}
CAUSE_CURE = {
    Cause.RAM: "RAM damaged; replace the board if it comes again",
    Cause.PROGRAM: "flash the firmware again",
    Cause.RELAY_STUCK: "a contact is welded or its mirror contact cut; repair, then power cycle",
    Cause.RELAY_DEAD: "coil, driver or mirror contact; repair, then power cycle",
    Cause.CHANNEL: "somebody pressed the button or a wire is cut",
    Cause.DISCREPANCY: "press and release the button; if it stays, check the wires",
    Cause.CYCLE: "report it",
    Cause.HOST_BAD: "noise on the line, or a second program on the port",
    Cause.HOST_SILENT: "the guard died, froze or was unplugged",
    Cause.HOST_STOP: "the guard stopped; see its log",
    Cause.EXPIRED: "reset the guard within ten seconds of the key",
    Cause.POWER_UP: "every start begins stopped",
    Cause.WATCHDOG: "the firmware hung; report it",
    Cause.RESTART: "reset line or reset button",
}
BLOCKER_TEXT = {
    BLOCK_LOCKED: "a fault that only a power cycle clears",
    BLOCK_CHANNELS: "the emergency-stop channels are not both closed, or have not been for long enough",
    BLOCK_RELAYS: "a relay is not shown released",
    BLOCK_LINK: "not enough right answers in a row from the guard",
    BLOCK_COMMAND: "the guard does not say STOP",
    BLOCK_MOVING: "the guard does not say that the vehicle is at rest",
    BLOCK_KEY: "the reset key is stuck or was held since the start",
}
TOKENS = (  # by stage
    0x584B8CB6,
    0x4B7A4101,
    0xBD35DBE5,
    0x34DF1FDB,
    0xF98CDF4D,
    0x39ABBEAB,
    0xD6B350BD,
    0x161E0A72,
    0x1965E57A,
    0x7DAE36E1,
    0x349CDD45,
    0xA63113A7,
    0x056592B6,
    0x547311F2,
    0x798E09FD,
    0xDD388403,
)
CRC_NIBBLES = (  # four bits at a time
    0x00000000,
    0x2B2C2BEE,
    0x565857DC,
    0x7D747C32,
    0xACB0AFB8,
    0x879C8456,
    0xFAE8F864,
    0xD1C4D38A,
    0xC8DF352F,
    0xE3F31EC1,
    0x9E8762F3,
    0xB5AB491D,
    0x646F9A97,
    0x4F43B179,
    0x3237CD4B,
    0x191BE6A5,
)
