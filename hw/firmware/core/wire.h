/* Frames on the line: 16 bytes, no stuffing, CRC-32/AUTOSAR over the unit number and the first twelve bytes.
 *
 * Stuffing would lower the Hamming distance on the wire from 8 to 3, because one flipped stuffing byte moves many
 * others. So the frame is found by its first byte and proved by its checksum; after damage the search goes on one byte
 * further. Nothing here has state other than what the caller owns; every loop is bounded by FRAME_BYTES.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define COUNT16_MAX 0xFFFFU /* largest value of a 16-bit field */

/* Receiver of one direction. Zeroed is its start. */
typedef struct {
    uint8_t byte[FRAME_BYTES]; /* what may be the beginning of a frame */
    uint32_t count;            /* bytes of it; below FRAME_BYTES between calls */
} wire_t;

typedef enum {
    WIRE_NOTHING = 0, /* not yet */
    WIRE_FRAME = 1,   /* a whole frame is in `frame` */
    WIRE_DAMAGED = 2  /* what began like a frame was none */
} wire_result_t;

/* CRC-32/AUTOSAR over the unit number and `length` bytes. The unit is never sent: a frame meant for another unit has a
 * wrong checksum (addressing, IEC 61784-3). */
uint32_t wire_crc(uint32_t unit, const uint8_t *bytes, uint32_t length);

/* The same checksum in steps: begin, every byte, end. */
uint32_t wire_crc_begin(void);
uint32_t wire_crc_byte(uint32_t crc, uint32_t byte);
uint32_t wire_crc_end(uint32_t crc);

/* Takes one received byte of heartbeats from the host. WIRE_FRAME: `frame` is filled and the receiver is empty. */
wire_result_t wire_push(wire_t *wire, uint32_t unit, uint8_t byte, uint8_t frame[FRAME_BYTES]);

/* The line has been silent for GAP_US: true if an unfinished frame was dropped. */
bool wire_idle(wire_t *wire);

/* Little-endian fields of a frame. */
uint32_t wire_get16(const uint8_t *at);
uint32_t wire_get32(const uint8_t *at);
void wire_put16(uint8_t *at, uint32_t value);
void wire_put32(uint8_t *at, uint32_t value);

/* Writes sync, type and checksum around the body that is in `frame` already. */
void wire_close(uint32_t unit, uint32_t type, uint8_t frame[FRAME_BYTES]);

#endif
