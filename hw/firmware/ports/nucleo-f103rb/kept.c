#include "kept.h"

#include <stddef.h>

#include "stm32f103.h"
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

/* RM0008: every reset also pulls NRST and sets PINRSTF, so the other flags go first. They stay until RMVF is written.
 * Anything that is neither power nor watchdog was the reset button, the debugger or the program itself. */
static uint32_t reset_cause(void)
{
    uint32_t flags = RCC_CSR;
    uint32_t cause = CAUSE_RESTART;
    if ((flags & RCC_CSR_PORRSTF) != 0U) {
        cause = CAUSE_POWER_UP;
    } else if ((flags & RCC_CSR_IWDGRSTF) != 0U) {
        cause = CAUSE_WATCHDOG;
    } else {
        /* as said above */
    }
    RCC_CSR |= RCC_CSR_RMVF;
    return cause;
}

void kept_begin(estop_boot_t *boot, uint32_t noise)
{
    boot->cause = reset_cause();
    if ((boot->cause == CAUSE_POWER_UP) || (kept.crc != kept_crc())) {
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
