/* What survives a reset, but not a loss of power: it lies in .noinit, which neither the RAM test nor the start
 * touches. Nothing here can restore RUN; it only keeps event numbers and counters going. */
#ifndef KEPT_H
#define KEPT_H

#include <stdint.h>

#include "estop.h"

typedef struct {
    uint32_t magic; /* KEPT_MAGIC once all of this has been written */
    uint32_t boots; /* since power-up */
    uint32_t event_number; /* of the last stop event */
    uint32_t seed;
    uint32_t cause; /* of the last start */
    uint32_t locked; /* the cause that locked the board, 0 = it is not locked */
    uint32_t check; /* all of the above folded */
} kept_t;

/* Reads what was kept, finds out why the chip starts, and fills the parts of `boot` that depend on it. */
void kept_begin(estop_boot_t *boot, uint32_t noise);

/* After every cycle. A lock outlives every reset that is no loss of power. */
void kept_remember(const estop_state_t *state);

#endif
