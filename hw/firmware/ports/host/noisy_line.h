/* A noisy line for the campaign of noise.c: where errors fall, and a receiver of characters that they confuse. */
#ifndef NOISY_LINE_H
#define NOISY_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

#define CHARACTER_BITS 10U /* start, eight of data, stop */
#define FRAME_BITS (8U * FRAME_BYTES)
#define LINE_BITS (CHARACTER_BITS * FRAME_BYTES)
#define LINE_BYTES (LINE_BITS / 8U)

/* Errors are drawn as distances to the next one, so clean bits cost nothing. */
typedef struct {
    uint64_t random;
    double clean_log;    /* logarithm of the chance that no error, or no burst, begins at a bit */
    double burst_log;    /* logarithm of the chance that a burst goes on; 0 = single flips */
    uint64_t burst_left; /* bits of the present burst */
    uint64_t wait;       /* clean bits before the next error */
} noise_t;

/* Receiver of characters. Zeroed is its start: it waits for a start bit. */
typedef struct {
    uint32_t count; /* bits of the present character */
    uint32_t byte;
} uart_t;

uint64_t random_next(uint64_t *state);

/* `rate`: share of wrong bits. Bursts are 64 bits long on average, with every second bit wrong (Gilbert-Elliott). */
noise_t noise_new(bool bursts, double rate, uint64_t seed);

/* Sends `count` bits, packed from bit 0 of byte 0 on; returns how many were flipped. */
uint32_t noise_spoil(noise_t *n, uint8_t *bits, uint32_t count);

/* The line carries nothing for `count` bits. Only bursts have a memory that this ends. */
void noise_pass(noise_t *n, uint32_t count);

/* Takes one bit. PORT_BYTE: a character is in `u->byte`; PORT_LINE_ERROR: its stop bit was none. */
port_received_t uart_bit(uart_t *u, uint32_t bit);

/* The characters of a frame as bits, packed. */
void put_characters(const uint8_t frame[FRAME_BYTES], uint8_t bits[LINE_BYTES]);

#endif
