/* One cycle of the firmware, nominally every millisecond: sample, listen, step, drive, speak, check itself, feed the
 * watchdog. Every stage checks in; the watchdog is fed only if all of them did, in this cycle. */
#ifndef CYCLE_H
#define CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"
#include "selfcheck.h"
#include "wire.h"

#define STATE_WORDS ((uint32_t)(sizeof(estop_state_t) / sizeof(uint32_t)))
#define CYCLE_BYTES_MAX 32U /* received bytes taken in one cycle: three times what 115200 baud brings */

typedef struct {
    estop_state_t state;
    uint32_t mirror[sizeof(estop_state_t) / sizeof(uint32_t)]; /* complement of every word of the state */
    wire_t wire;
    uint32_t byte_us; /* when the last byte came */
    selfcheck_t program;
    estop_check_t check;
    uint32_t checkins; /* stages that ran in this cycle */
} cycle_t;

/* `ram_sound`: result of selfcheck_ram, made before anything lived there. `program` has been set by selfcheck_init. */
void cycle_init(cycle_t *cycle, const estop_boot_t *boot, bool ram_sound);

/* One cycle. */
void cycle_run(cycle_t *cycle);

#endif
