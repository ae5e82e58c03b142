/* Is the memory sound? RAM once, before it is used; the program at the start and then again and again, slice by slice. */
#ifndef SELFCHECK_H
#define SELFCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"

#define PROGRAM_SLICE 64U /* bytes per cycle: 16 KiB in 256 ms */

/* The program's checksum on its way. */
typedef struct {
    const uint8_t *image;
    uint32_t length;   /* bytes of the image */
    uint32_t expected; /* its CRC-32/AUTOSAR, sealed into the image by the build */
    uint32_t at;       /* next byte */
    uint32_t crc;
} selfcheck_t;

/* March C- over `count` words (finds stuck bits, coupled bits and wrong address lines). Destroys them. The caller must
 * not have its stack there. */
bool selfcheck_ram(volatile uint32_t *words, uint32_t count);

void selfcheck_init(selfcheck_t *check, const uint8_t *image, uint32_t length, uint32_t expected);

/* Checks one slice. Returns `before` until a pass ends, then CHECK_PASSED or CHECK_PROGRAM. A failure stays. */
estop_check_t selfcheck_program(selfcheck_t *check, estop_check_t before);

#endif
