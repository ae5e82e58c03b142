/* What survives a reset, but not a loss of power. Nothing here can restore RUN; it keeps event numbers and counters
 * going. */
#ifndef KEPT_H
#define KEPT_H

#include "estop.h"

/* Finds out why the chip starts, and fills `boots`, `event_number`, `seed` and `cause`. */
void kept_begin(estop_boot_t *boot, uint32_t noise);

/* After every cycle. A lock outlives every reset that is no loss of power. */
void kept_remember(const estop_state_t *state);

#endif
