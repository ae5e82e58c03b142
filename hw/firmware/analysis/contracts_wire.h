/* What wire.c promises, in ACSL. proof.c includes it behind the source; only Frama-C reads it. */
#ifndef CONTRACTS_WIRE_H
#define CONTRACTS_WIRE_H

/*@ predicate frame_at{L}(uint8_t *frame) = \valid(frame + (0 .. FRAME_BYTES - 1));

    // Nothing received, or what was received begins like a frame and is shorter than one.
    predicate begun{L}(wire_t *wire) =
      wire->count < FRAME_BYTES && (wire->count > 0 ==> wire->byte[0] == SYNC_HOST);

    logic integer word16{L}(uint8_t *at) = at[0] | (uint32_t)(at[1] << 8);
    logic integer word32{L}(uint8_t *at) = word16(at) | (uint32_t)(word16(at + 2) << 16);
*/

/*@ assigns \nothing; */
uint32_t wire_crc_begin(void);

/*@ assigns \nothing; */
uint32_t wire_crc_end(uint32_t crc);

/*@ assigns \nothing; */
uint32_t wire_crc_byte(uint32_t crc, uint32_t byte);

/*@ requires length > 0 ==> \valid_read(bytes + (0 .. length - 1));
    assigns \nothing; */
uint32_t wire_crc(uint32_t unit, const uint8_t *bytes, uint32_t length);

/*@ requires \valid_read(at + (0 .. 1));
    assigns \nothing;
    ensures value: \result == word16(at); */
uint32_t wire_get16(const uint8_t *at);

/*@ requires \valid_read(at + (0 .. 3));
    assigns \nothing;
    ensures value: \result == word32(at); */
uint32_t wire_get32(const uint8_t *at);

/*@ requires \valid(at + (0 .. 1));
    assigns at[0 .. 1]; */
void wire_put16(uint8_t *at, uint32_t value);

/*@ requires \valid(at + (0 .. 3));
    assigns at[0 .. 3]; */
void wire_put32(uint8_t *at, uint32_t value);

/*@ requires frame_at(frame);
    assigns frame[0 .. 1], frame[BODY_BYTES .. FRAME_BYTES - 1]; */
void wire_close(uint32_t unit, uint32_t type, uint8_t frame[FRAME_BYTES]);

#ifdef PROVE_WIRE
/*@ requires \valid(wire) && wire->count == FRAME_BYTES;
    assigns wire->count, wire->byte[0 .. FRAME_BYTES - 1];
    ensures begun: begun(wire); */
static void slide(wire_t *wire);
#endif

/*@ requires \valid(wire) && begun(wire) && frame_at(frame) && \separated(wire, frame + (0 .. FRAME_BYTES - 1));
    assigns wire->count, wire->byte[0 .. FRAME_BYTES - 1], frame[0 .. FRAME_BYTES - 1];
    ensures begun: begun(wire);
    ensures results: \result == WIRE_NOTHING || \result == WIRE_FRAME || \result == WIRE_DAMAGED;
    ensures heartbeat: \result == WIRE_FRAME ==> frame[0] == SYNC_HOST && frame[1] == TYPE_HEARTBEAT;
    ensures empty: \result == WIRE_FRAME ==> wire->count == 0;
    ensures last: \result == WIRE_FRAME ==> frame[FRAME_BYTES - 1] == byte;
    ensures untouched: \result != WIRE_FRAME ==>
      \forall integer k; 0 <= k < FRAME_BYTES ==> frame[k] == \old(frame[k]); */
wire_result_t wire_push(wire_t *wire, uint32_t unit, uint8_t byte, uint8_t frame[FRAME_BYTES]);

/*@ requires \valid(wire);
    assigns wire->count;
    ensures empty: wire->count == 0;
    ensures told: \result <==> \old(wire->count) > 0; */
bool wire_idle(wire_t *wire);

#endif
