#include "kept.h"

#include "registers.h"

#define KEPT_MAGIC 0x5AFE6EEDU

kept_t kept __attribute__((section(".noinit")));

static uint32_t folded(void)
{
    uint32_t sum = kept.magic;
    sum = (sum << 5U) ^ (sum >> 27U) ^ kept.boots;
    sum = (sum << 5U) ^ (sum >> 27U) ^ kept.event_number;
    sum = (sum << 5U) ^ (sum >> 27U) ^ kept.seed;
    sum = (sum << 5U) ^ (sum >> 27U) ^ kept.cause;
    sum = (sum << 5U) ^ (sum >> 27U) ^ kept.locked;
    return ~sum;
}

/* The chip latches in RESC why it was reset. QEMU models the register but never sets it: there the bench writes what a
 * power supply or a reset button would have latched. A watchdog reset leaves it at 0 in QEMU. So without a word of
 * RESC: a program that had been running and announced nothing was reset by its watchdog. */
static uint32_t reset_cause(bool running_before)
{
    uint32_t latched = RESC;
    uint32_t cause = running_before ? CAUSE_WATCHDOG : CAUSE_POWER_UP;
    if ((latched & RESC_WATCHDOG) != 0U) {
        cause = CAUSE_WATCHDOG;
    } else if ((latched & (RESC_POWER_ON | RESC_BROWN_OUT)) != 0U) {
        cause = CAUSE_POWER_UP;
    } else if ((latched & (RESC_EXTERNAL | RESC_SOFTWARE)) != 0U) {
        cause = CAUSE_RESTART;
    } else {
        /* as said above */
    }
    RESC = 0U;
    return cause;
}

void kept_begin(estop_boot_t *boot, uint32_t noise)
{
    bool sound = (kept.magic == KEPT_MAGIC) && (kept.check == folded());
    kept.cause = reset_cause(sound);
    if (!sound) {
        kept.boots = 0U;
        kept.event_number = 0U;
        kept.seed = 0U;
    }
    if (!sound || (kept.cause == CAUSE_POWER_UP)) {
        kept.locked = CAUSE_NONE;
    }
    kept.boots = (kept.cause == CAUSE_POWER_UP) ? 1U : (kept.boots + 1U);
    kept.seed = (kept.seed * 1664525U) + 1013904223U + noise;
    kept.magic = KEPT_MAGIC;
    kept.check = folded();
    boot->boots = kept.boots;
    boot->event_number = kept.event_number;
    boot->seed = kept.seed;
    boot->cause = (kept.locked == CAUSE_NONE) ? kept.cause : kept.locked;
}

void kept_remember(const estop_state_t *state)
{
    if (kept.event_number != state->event_number) {
        kept.event_number = state->event_number;
        if ((state->locked != 0U) && (kept.locked == CAUSE_NONE)) {
            kept.locked = state->event[state->event_slot].cause;
        }
        kept.check = folded();
    }
}
