#include "kept.h"

#include <stddef.h>

#include "wire.h"

typedef struct {
    uint32_t boots; /* since power-up */
    uint32_t event_number; /* of the last stop event */
    uint32_t seed;
    uint32_t locked; /* the cause that locked the board, 0 = it is not locked */
    uint32_t crc; /* of all of the above; RAM after power-up has the right one once in 2^32 times */
} kept_t;

static kept_t kept __attribute__((section(".noinit")));

static uint32_t kept_crc(void)
{
    return wire_crc(0U, (const uint8_t *)&kept, (uint32_t)offsetof(kept_t, crc));
}

void kept_begin(estop_boot_t *boot, uint32_t noise)
{
    bool sound = kept.crc == kept_crc();
    boot->cause = board_reset_cause(sound);
    if ((boot->cause == CAUSE_POWER_UP) || !sound) {
        kept.boots = 0U;
        kept.event_number = 0U;
        kept.seed = 0U;
        kept.locked = CAUSE_NONE;
    }
    if (kept.locked != CAUSE_NONE) {
        boot->cause = kept.locked;
    }
    kept.boots++;
    kept.seed = (kept.seed * 1664525U) + 1013904223U + noise;
    kept.crc = kept_crc();
    boot->boots = kept.boots;
    boot->event_number = kept.event_number;
    boot->seed = kept.seed;
}

void kept_remember(const estop_state_t *state)
{
    if (kept.event_number != state->event_number) {
        kept.event_number = state->event_number;
        if ((state->locked != 0U) && (kept.locked == CAUSE_NONE)) {
            kept.locked = state->event[state->event_slot].cause;
        }
        kept.crc = kept_crc();
    }
}
