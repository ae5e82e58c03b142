/* What report.c promises, in ACSL: it writes the frames and its own turn, and nothing else. Included behind the source
 * by proof_report.c, which proves it, and by proof_estop.c, which builds on it. */
#ifndef CONTRACTS_REPORT_H
#define CONTRACTS_REPORT_H

/*@ predicate known_page(integer page) = page <= PAGE_HEALTH || PAGE_EVENT <= page < PAGE_EVENT + EVENTS; */

/*@ requires \valid_read(s);
    assigns \nothing; */
bool report_lamp(const estop_state_t *s);

/*@ requires \valid(s) && \valid_read(in) && \valid(out);
    requires \separated(s, in) && \separated(s, out) && \separated(in, out);
    assigns s->diag_page, s->diag_event, s->diag_in, out->reply_ready, out->diag_ready,
            out->reply[0 .. FRAME_BYTES - 1], out->diag[0 .. FRAME_BYTES - 1];
    ensures reply: out->reply_ready <==> in->frame_ready;
    ensures diag: out->diag_ready ==> out->reply_ready;
    ensures page: known_page(\old(s->diag_page)) ==> known_page(s->diag_page);
    ensures range: \old(s->diag_in) < DIAG_EVERY ==> s->diag_in < DIAG_EVERY; */
void report_speak(estop_state_t *s, const estop_inputs_t *in, estop_outputs_t *out);

#ifdef PROVE_REPORT

/*@ assigns \nothing;
    ensures value: \result == \min(value, most); */
static uint32_t capped(uint32_t value, uint32_t most);

/*@ requires \valid_read(s) && \valid_read(in);
    assigns \nothing; */
uint32_t estop_blockers(const estop_state_t *s, const estop_inputs_t *in);

/*@ requires \valid_read(s) && \valid_read(in);
    assigns \nothing; */
static uint32_t input_bits(const estop_state_t *s, const estop_inputs_t *in);

/*@ requires \valid_read(s) && \valid_read(in) && frame_at(frame);
    requires \separated(s, frame + (0 .. FRAME_BYTES - 1)) && \separated(in, frame + (0 .. FRAME_BYTES - 1));
    assigns frame[0 .. FRAME_BYTES - 1]; */
static void write_status(const estop_state_t *s, const estop_inputs_t *in, uint8_t frame[FRAME_BYTES]);

/*@ requires frame_at(frame);
    assigns frame[2 .. 5]; */
static void write_page(uint8_t frame[FRAME_BYTES], uint32_t page, uint32_t a, uint32_t b);

/*@ requires \valid_read(s) && \valid_read(in) && frame_at(frame);
    requires \separated(s, frame + (0 .. FRAME_BYTES - 1)) && \separated(in, frame + (0 .. FRAME_BYTES - 1));
    assigns frame[0 .. FRAME_BYTES - 1]; */
static void write_diag(const estop_state_t *s, const estop_inputs_t *in, uint32_t page, uint8_t frame[FRAME_BYTES]);

/*@ requires \valid(s);
    assigns s->diag_page, s->diag_event;
    ensures told: s->diag_event == 0;
    ensures page: known_page(\old(s->diag_page)) ==> known_page(s->diag_page);
    ensures known: \old(s->event_slot) < EVENTS && known_page(\old(s->diag_page)) ==> known_page(\result); */
static uint32_t next_page(estop_state_t *s);

#endif

#endif
