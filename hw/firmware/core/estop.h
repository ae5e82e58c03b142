/* The emergency-stop function: one pure step on one record of state.
 *
 * No clock, no I/O, no heap, no recursion, no global variable: everything comes in and everything goes out through the
 * arguments. The same source runs on the microcontroller, in the tests' shared library and under the prover.
 *
 * States: SELFTEST -> STOPPED -> ARMED -> RUN, and from everywhere to STOPPED. Every start ends in STOPPED; nothing
 * leads from STOPPED to RUN but a press and release of the reset key, made after this very stop, and then a RUN of the
 * host in the session that this stop began. Relays are closed only in RUN.
 */
#ifndef ESTOP_H
#define ESTOP_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

/* Result of the checks that the cycle makes of its own memory. */
typedef enum {
    CHECK_RUNNING = 0, /* self-test not finished */
    CHECK_PASSED = 1,
    CHECK_RAM = 2,    /* RAM or the copy of the state is damaged */
    CHECK_PROGRAM = 3 /* the program's checksum is wrong */
} estop_check_t;

/* What one cycle saw. A 0 on a contact always means the safe thing: open, not pressed, not shown released. */
typedef struct {
    bool channel_a; /* emergency-stop channels: closed */
    bool channel_b;
    bool key;        /* reset key pressed */
    bool released_1; /* mirror contact of each relay: released */
    bool released_2;
    bool damaged;               /* at least one damaged frame since the last cycle */
    bool frame_ready;           /* `frame` holds a heartbeat that wire_push returned */
    uint8_t frame[FRAME_BYTES];
    estop_check_t check;
} estop_inputs_t;

/* What the cycle must do. */
typedef struct {
    bool relay_1;    /* static output */
    bool relay_2;    /* pulsed output: level of this cycle; it changes in every cycle while the relay is to be held */
    bool led;
    bool reply_ready; /* send `reply` */
    bool diag_ready;  /* and then `diag` */
    uint8_t reply[FRAME_BYTES];
    uint8_t diag[FRAME_BYTES];
} estop_outputs_t;

/* One stop event. */
typedef struct {
    uint32_t cause;
    uint32_t number;
    uint32_t link_us; /* time since the last right answer */
    uint32_t at_ms;   /* since the start */
} estop_event_t;

/* Everything that the function remembers. Only 32-bit words, so that it can be mirrored word by word. Ages are in us,
 * grow by the time between cycles and stop at the largest value: no stamp can wrap. Flags are 0 or 1. */
typedef struct {
    uint32_t unit;      /* number of this board on its line, part of every checksum */
    uint32_t image_crc; /* of the program, for the ident page */
    uint32_t boots;
    uint32_t boot_cause; /* what a self-test that has passed will stop for */

    uint32_t state; /* STATE_...; anything else is treated as STOPPED */
    uint32_t locked; /* a locking cause was seen: only a power cycle helps */
    uint32_t started;
    uint32_t now_us; /* time of the last cycle */
    uint32_t uptime_ms;
    uint32_t uptime_rest_us;
    uint32_t cycle_max_us;

    uint32_t closed_us; /* both channels closed for this long */
    uint32_t differ_us; /* the channels differ for this long */
    uint32_t channel_fault; /* they differed for too long; until both were seen open */

    uint32_t key_down;
    uint32_t key_us;    /* pressed for this long */
    uint32_t key_event; /* stop event that the press was made for, 0 = none */
    uint32_t key_ready; /* the key was seen released since the start */
    uint32_t key_stuck;

    uint32_t relay_on;
    uint32_t relay_us; /* since the command to the relays changed */
    uint32_t pulse;    /* level of the pulsed output */
    uint32_t armed_us;

    uint32_t session;
    uint32_t seq;       /* of the last right answer */
    uint32_t challenge;
    uint32_t answer_us; /* since the challenge was made */
    uint32_t link_us;   /* since the last right answer */
    uint32_t streak;    /* right answers in a row */
    uint32_t bad;       /* bad-event counter */
    uint32_t host_command; /* of the last right answer, 0 before the first of this session */
    uint32_t host_rest;
    uint32_t random;

    uint32_t accepted;
    uint32_t refused;
    uint32_t damaged;
    uint32_t diag_in;   /* status frames until the next diagnostic frame */
    uint32_t diag_page; /* next page of the round */
    uint32_t diag_event; /* 1: the latest event goes first */

    uint32_t event_number;
    uint32_t event_slot; /* of the latest event */
    estop_event_t event[EVENTS];
} estop_state_t;

/* What the start knows. */
typedef struct {
    uint32_t unit;
    uint32_t image_crc;
    uint32_t boots;        /* starts since power-up, this one included */
    uint32_t event_number; /* of the last event before, 0 if not known */
    uint32_t seed;         /* as different as possible at every start */
    uint32_t cause;        /* CAUSE_POWER_UP, CAUSE_WATCHDOG, CAUSE_RESTART, or what locked the board before this start */
} estop_boot_t;

/* Puts the state at its beginning: SELFTEST, relays open. */
void estop_init(estop_state_t *s, const estop_boot_t *boot);

/* One cycle at `now_us` (wraps freely). Writes all of `out`. Bounded work, about ten thousand instructions at most. */
void estop_step(estop_state_t *s, const estop_inputs_t *in, uint32_t now_us, estop_outputs_t *out);

/* The right answer to a challenge: the progress of a whole tick, sealed with session and sequence number. */
uint32_t estop_answer(uint32_t unit, uint32_t challenge, uint32_t session, uint32_t seq);

/* Bits BLOCK_...: why a press of the reset key would do nothing now. */
uint32_t estop_blockers(const estop_state_t *s, const estop_inputs_t *in);

#endif
