/* Invariant: whatever bytes come, wire_push gives a frame exactly when the last sixteen bytes are a heartbeat sealed
 * for this unit and none of them belonged to the frame before.
 *
 * The first byte of the input is the unit. Then every byte goes to the line, but 0xFE puts a sealed heartbeat there
 * whose fields are the next ten bytes, 0xFD a sealed frame whose type is the first of them, and 0xFF lets the line fall
 * silent. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define SEALED 0xFEU
#define OTHER_TYPE 0xFDU
#define SILENCE 0xFFU
#define FIELD_BYTES 10U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The line as somebody without wire.c would see it. */
typedef struct {
    uint8_t last[FRAME_BYTES];
    uint32_t fresh; /* how many of them belong to no frame yet */
} line_t;

/* The checksum bit by bit, from its definition. */
static uint32_t plain_crc(uint8_t unit, const uint8_t *bytes, uint32_t length)
{
    uint32_t crc = 0xFFFFFFFFU;
    for (uint32_t k = 0U; k <= length; k++) {
        crc ^= (k == 0U) ? unit : bytes[k - 1U];
        for (uint32_t bit = 0U; bit < 8U; bit++) {
            crc = (crc >> 1U) ^ (((crc & 1U) == 1U) ? CRC_REFLECTED : 0U);
        }
    }
    return ~crc;
}

static void seal(uint8_t unit, uint8_t frame[FRAME_BYTES])
{
    uint32_t crc = plain_crc(unit, frame, BODY_BYTES);
    for (uint32_t k = 0U; k < 4U; k++) {
        frame[BODY_BYTES + k] = (uint8_t)(crc >> (8U * k));
    }
}

static bool whole(const line_t *line, uint8_t unit)
{
    uint8_t sealed[FRAME_BYTES];
    (void)memcpy(sealed, line->last, BODY_BYTES);
    seal(unit, sealed);
    return (line->fresh >= FRAME_BYTES) && (line->last[0] == SYNC_HOST) && (line->last[1] == TYPE_HEARTBEAT) &&
           (memcmp(sealed, line->last, FRAME_BYTES) == 0);
}

static void push(wire_t *wire, line_t *line, uint8_t unit, uint8_t byte)
{
    uint8_t frame[FRAME_BYTES] = {0};
    (void)memmove(line->last, &line->last[1], FRAME_BYTES - 1U);
    line->last[FRAME_BYTES - 1U] = byte;
    line->fresh++;
    bool expected = whole(line, unit);
    wire_result_t result = wire_push(wire, unit, byte, frame);
    if ((result == WIRE_FRAME) != expected) {
        abort();
    }
    if (expected) {
        line->fresh = 0U;
        if ((memcmp(frame, line->last, FRAME_BYTES) != 0) || (wire->count != 0U)) {
            abort();
        }
    }
    if ((wire->count >= FRAME_BYTES) || ((wire->count > 0U) && (wire->byte[0] != SYNC_HOST))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_t wire = {0};
    line_t line = {0};
    uint8_t unit = (size > 0U) ? data[0] : 0U;
    for (size_t at = 1U; at < size; at++) {
        if (((data[at] == SEALED) || (data[at] == OTHER_TYPE)) && ((size - at) > FIELD_BYTES)) {
            uint8_t type = (data[at] == SEALED) ? (uint8_t)TYPE_HEARTBEAT : data[at + 1U];
            uint8_t frame[FRAME_BYTES] = {SYNC_HOST, type};
            (void)memcpy(&frame[2], &data[at + 1U], FIELD_BYTES);
            seal(unit, frame);
            for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
                push(&wire, &line, unit, frame[k]);
            }
            at += FIELD_BYTES;
        } else if (data[at] == SILENCE) {
            (void)wire_idle(&wire);
            line.fresh = 0U;
        } else {
            push(&wire, &line, unit, data[at]);
        }
    }
    return 0;
}
