/* Written by `make protocol` from hw/protocol.yaml; do not edit. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define PROTOCOL_VERSION 1U
#define FIRMWARE_VERSION 0x0100U
#define CRC_REFLECTED 0xC8DF352FU

#define SYNC_HOST 0xA5U /* first byte from the host */
#define SYNC_MCU 0x5AU /* first byte from the MCU; an echo of its own bytes is nothing to either side */
#define TYPE_HEARTBEAT 0xC3U /* host -> MCU */
#define TYPE_STATUS 0x3CU /* MCU -> host, one for each heartbeat */
#define TYPE_DIAG 0x66U /* MCU -> host, behind every fourth status and behind the first one after a stop */
#define COMMAND_STOP 0x0FU /* stop now; counts even in a frame that is otherwise refused */
#define COMMAND_RUN 0xF0U /* the guard would let actuators have power */
#define REST_YES 0x96U /* the reset conditions of the guard's policy hold */
#define REST_NO 0x69U /* they do not */
#define STATE_SELFTEST 0x33U /* relays open; RAM and program are being checked */
#define STATE_STOPPED 0xAAU /* relays open; latched until the reset key */
#define STATE_ARMED 0xCCU /* relays open; reset by the key, waits for the guard */
#define STATE_RUN 0x55U /* relays closed */

/* status byte 3 */
#define IN_CHANNEL_A 0x01U /* emergency-stop channel A closed */
#define IN_CHANNEL_B 0x02U /* emergency-stop channel B closed */
#define IN_KEY 0x04U /* reset key pressed */
#define IN_RELEASED_1 0x08U /* mirror contact shows relay 1 released */
#define IN_RELEASED_2 0x10U /* mirror contact shows relay 2 released */
#define IN_RELAY_1 0x20U /* output to relay 1 on */
#define IN_RELAY_2 0x40U /* output to relay 2 pulsing */
#define IN_LOCKED 0x80U /* a fault that only a power cycle clears */

/* causes: code, and bit number of the condition */
#define CAUSE_NONE 0U
#define CAUSE_RAM 1U /* a copy of the state differs from its complement */
#define CAUSE_PROGRAM 2U /* the program's checksum is wrong */
#define CAUSE_RELAY_STUCK 3U /* a relay did not release in time */
#define CAUSE_RELAY_DEAD 4U /* a relay did not pull in in time */
#define CAUSE_CHANNEL 5U /* an emergency-stop channel opened */
#define CAUSE_DISCREPANCY 6U /* the two channels differed for too long */
#define CAUSE_CYCLE 7U /* the MCU's own cycle came too late */
#define CAUSE_HOST_BAD 8U /* too many wrong frames from the host */
#define CAUSE_HOST_SILENT 9U /* no right answer from the host in time */
#define CAUSE_HOST_STOP 10U /* the host asked for a stop */
#define CAUSE_EXPIRED 11U /* armed but not run in time */
#define CAUSE_POWER_UP 12U /* power came on */
#define CAUSE_WATCHDOG 13U /* the MCU's watchdog reset it */
#define CAUSE_RESTART 14U /* the MCU was reset without losing power */
#define CAUSES_LOCKING 0x001EU

/* health page byte 3 */
#define BLOCK_LOCKED 0x01U /* a fault that only a power cycle clears */
#define BLOCK_CHANNELS 0x02U /* the emergency-stop channels are not both closed, or have not been for long enough */
#define BLOCK_RELAYS 0x04U /* a relay is not shown released */
#define BLOCK_LINK 0x08U /* not enough right answers in a row from the guard */
#define BLOCK_COMMAND 0x10U /* the guard does not say STOP */
#define BLOCK_MOVING 0x20U /* the guard does not say that the vehicle is at rest */
#define BLOCK_KEY 0x40U /* the reset key is stuck or was held since the start */

/* diagnostic pages */
#define PAGE_IDENT 0U
#define PAGE_LINK 1U
#define PAGE_HEALTH 2U
#define PAGE_EVENT 8U

#define LINK_US 100000U /* no right answer for this long stops */
#define EARLY_US 2000U /* an answer sooner than this after its challenge is wrong */
#define RELEASE_US 100000U /* both channels closed for this long before a reset */
#define DISCREPANCY_US 500000U /* the channels may differ for this long */
#define KEY_MIN_US 100000U /* shortest press of the reset key */
#define KEY_MAX_US 3000000U /* longest press of the reset key */
#define KEY_STUCK_US 10000000U /* a key pressed for longer is stuck */
#define ARMED_US 10000000U /* ARMED ends after this time */
#define GAP_US 10000U /* an unfinished frame is dropped after this silence */
#ifndef FEEDBACK_US
#define FEEDBACK_US 50000U /* a relay must follow within this time */
#endif
#ifndef CYCLE_US
#define CYCLE_US 20000U /* longest time from cycle to cycle */
#endif

#define BAD_LIMIT 3U /* bad-event counter: a wrong frame adds one, a right one takes one away; at this value it stops */
#define STREAK_MIN 10U /* right answers in a row before a reset */
#define DIAG_EVERY 4U /* status frames per diagnostic frame */
#define EVENTS 8U /* stop events remembered */
#define FRAME_BYTES 16U /* bytes of every frame, in both directions */
#define BODY_BYTES 12U /* bytes under the checksum */

#define STAGES 16U /* GATHER, BEGIN, COMMAND, SOURCES, ZONES, CONDITIONS, PERMISSION, FUNCTIONS, CROSSCHECK, ENVELOPE, STATE, SWITCH, COMMIT, ENCODE, SEND, RECORD */
#define PROGRESS_ROTATE 7U
#define STAGE_TOKENS {0x584B8CB6U, 0x4B7A4101U, 0xBD35DBE5U, 0x34DF1FDBU, 0xF98CDF4DU, 0x39ABBEABU, 0xD6B350BDU, 0x161E0A72U, 0x1965E57AU, 0x7DAE36E1U, 0x349CDD45U, 0xA63113A7U, 0x056592B6U, 0x547311F2U, 0x798E09FDU, 0xDD388403U}
#define CRC_NIBBLES {0x00000000U, 0x2B2C2BEEU, 0x565857DCU, 0x7D747C32U, 0xACB0AFB8U, 0x879C8456U, 0xFAE8F864U, 0xD1C4D38AU, 0xC8DF352FU, 0xE3F31EC1U, 0x9E8762F3U, 0xB5AB491DU, 0x646F9A97U, 0x4F43B179U, 0x3237CD4BU, 0x191BE6A5U}

#endif
