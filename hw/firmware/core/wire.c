#include "wire.h"

/* cppcheck-suppress misra-c2012-8.9 ; a table of the protocol stands at the top of the file */
static const uint32_t nibbles[16] = CRC_NIBBLES;

uint32_t wire_crc_begin(void)
{
    return 0xFFFFFFFFU;
}

uint32_t wire_crc_end(uint32_t crc)
{
    return crc ^ 0xFFFFFFFFU;
}

uint32_t wire_crc_byte(uint32_t crc, uint32_t byte)
{
    uint32_t next = crc ^ byte;
    next = (next >> 4U) ^ nibbles[next & 0xFU];
    next = (next >> 4U) ^ nibbles[next & 0xFU];
    return next;
}

uint32_t wire_crc(uint32_t unit, const uint8_t *bytes, uint32_t length)
{
    uint32_t crc = wire_crc_byte(wire_crc_begin(), unit & 0xFFU);
    /*@ loop invariant k <= length;
        loop assigns k, crc;
        loop variant length - k; */
    for (uint32_t k = 0U; k < length; k++) {
        crc = wire_crc_byte(crc, bytes[k]);
    }
    return wire_crc_end(crc);
}

uint32_t wire_get16(const uint8_t *at)
{
    return (uint32_t)at[0] | ((uint32_t)at[1] << 8U);
}

uint32_t wire_get32(const uint8_t *at)
{
    return wire_get16(at) | (wire_get16(&at[2]) << 16U);
}

void wire_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value & 0xFFU);
    at[1] = (uint8_t)((value >> 8U) & 0xFFU);
}

void wire_put32(uint8_t *at, uint32_t value)
{
    wire_put16(at, value & 0xFFFFU);
    wire_put16(&at[2], value >> 16U);
}

void wire_close(uint32_t unit, uint32_t type, uint8_t frame[FRAME_BYTES])
{
    frame[0] = (uint8_t)SYNC_MCU;
    frame[1] = (uint8_t)type;
    wire_put32(&frame[BODY_BYTES], wire_crc(unit, frame, BODY_BYTES));
}

/* Drops the first byte and everything up to the next one that may begin a frame. */
static void slide(wire_t *wire)
{
    uint32_t from = 1U;
    /*@ loop invariant 1 <= from <= wire->count;
        loop assigns from;
        loop variant wire->count - from; */
    while ((from < wire->count) && (wire->byte[from] != SYNC_HOST)) {
        from++;
    }
    wire->count -= from;
    /*@ loop invariant k <= wire->count;
        loop invariant from + wire->count == FRAME_BYTES;
        loop invariant \forall integer j; k <= j < FRAME_BYTES ==> wire->byte[j] == \at(wire->byte[j], Pre);
        loop invariant k > 0 ==> wire->byte[0] == SYNC_HOST;
        loop assigns k, wire->byte[0 .. FRAME_BYTES - 1];
        loop variant wire->count - k; */
    for (uint32_t k = 0U; k < wire->count; k++) {
        wire->byte[k] = wire->byte[from + k];
    }
}

wire_result_t wire_push(wire_t *wire, uint32_t unit, uint8_t byte, uint8_t frame[FRAME_BYTES])
{
    wire_result_t result = WIRE_NOTHING;
    if (wire->count >= FRAME_BYTES) { /* cannot be, unless RAM was damaged: never write behind the buffer */
        wire->count = 0U;
    }
    if ((wire->count > 0U) || (byte == SYNC_HOST)) {
        wire->byte[wire->count] = byte;
        wire->count++;
    }
    if (wire->count == FRAME_BYTES) {
        uint32_t crc = wire_crc(unit, wire->byte, BODY_BYTES);
        if ((wire->byte[1] == TYPE_HEARTBEAT) && (crc == wire_get32(&wire->byte[BODY_BYTES]))) {
            /*@ loop invariant k <= FRAME_BYTES;
                loop invariant \forall integer j; 0 <= j < k ==> frame[j] == wire->byte[j];
                loop assigns k, frame[0 .. FRAME_BYTES - 1];
                loop variant FRAME_BYTES - k; */
            for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
                frame[k] = wire->byte[k];
            }
            wire->count = 0U;
            result = WIRE_FRAME;
        } else {
            slide(wire);
            result = WIRE_DAMAGED;
        }
    }
    return result;
}

bool wire_idle(wire_t *wire)
{
    bool dropped = wire->count > 0U;
    wire->count = 0U;
    return dropped;
}
