/* What survives a reset, but not a loss of power: it lies in .noinit, which neither the RAM test nor the start
 * touches. Nothing here can restore RUN; it keeps event numbers and counters going, and a lock a lock. */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>

#include "estop.h"

/* Given by the board: CAUSE_POWER_UP, CAUSE_WATCHDOG or CAUSE_RESTART. `ran_before`: what was kept is sound, so the
 * program has run since power came on. */
uint32_t board_reset_cause(bool ran_before);

/* Reads what was kept, finds out why the chip starts, and fills `boots`, `event_number`, `seed` and `cause`. */
void kept_begin(estop_boot_t *boot, uint32_t noise);

/* After every cycle. A lock outlives every reset that is no loss of power. */
void kept_remember(const estop_state_t *state);

#endif
