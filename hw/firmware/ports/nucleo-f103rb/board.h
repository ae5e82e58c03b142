/* Parts of the board that start.c brings up before the firmware runs. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_MHZ 64U

/* Starts the independent watchdog. Nothing stops it again but a reset. */
void watchdog_start(void);

/* 64 MHz from the internal oscillator, free-running time, and the slow oscillator that it is compared with. Returns
 * only if the PLL runs; otherwise the watchdog ends the wait. */
void clock_start(void);

/* Sets every pin of pins.h. The relay outputs are low before they become outputs. */
void pins_start(void);

/* USART2: 115200 baud, 8 data bits, no parity, 1 stop bit. */
void line_start(void);

/* Interrupt of USART2. */
void line_interrupt(void);

/* Both relay outputs low and nothing else ever again: the watchdog resets the board. Uses no variable. */
_Noreturn void board_give_up(void);

/* The firmware; never returns. `seed`: a number that is as different as possible at every start. */
_Noreturn void board_run(bool ram_sound, uint32_t seed);

#endif
