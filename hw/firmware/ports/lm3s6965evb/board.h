/* What this board does besides port.h. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Relays off, watchdog, clock, time base, guard of the stack. Uses registers and the stack only: runs before RAM is
 * tested. */
void board_begin(void);

/* Contacts, line and sleep timer. */
void board_connect(void);

/* Both relays off, without delay and whatever state the program is in. */
void board_relays_off(void);

/* Bytes that wait for the line go to its FIFO as far as there is room. */
void board_flush(void);

/* Sleeps for about this long. Nothing else ends the sleep. */
void board_sleep(uint32_t for_us);

/* Free-running, differs from start to start. */
uint32_t board_noise(void);

#endif
