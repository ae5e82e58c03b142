#include "report.h"

#include "wire.h"

#define US_PER_UNIT 100U /* ages of events on the wire */
#define US_PER_CYCLE_UNIT 10U
#define LAMP_MS 50U /* one bit of a pattern */
#define LAMP_BITS 20U

static uint32_t capped(uint32_t value, uint32_t most)
{
    return (value < most) ? value : most;
}

bool report_lamp(const estop_state_t *s)
{
    uint32_t pattern = 0U;
    if (s->state == STATE_RUN) {
        pattern = 0xFFFFFU;
    } else if (s->state == STATE_ARMED) {
        pattern = 0x33333U;
    } else if (s->locked != 0U) {
        pattern = 0x00033U;
    } else if (s->state == STATE_STOPPED) {
        pattern = 0x003FFU;
    } else {
        /* dark */
    }
    return ((pattern >> ((s->uptime_ms / LAMP_MS) % LAMP_BITS)) & 1U) == 1U;
}

static uint32_t input_bits(const estop_state_t *s, const estop_inputs_t *in)
{
    uint32_t bits = 0U;
    bits |= in->channel_a ? IN_CHANNEL_A : 0U;
    bits |= in->channel_b ? IN_CHANNEL_B : 0U;
    bits |= in->key ? IN_KEY : 0U;
    bits |= in->released_1 ? IN_RELEASED_1 : 0U;
    bits |= in->released_2 ? IN_RELEASED_2 : 0U;
    bits |= (s->relay_on == 1U) ? (IN_RELAY_1 | IN_RELAY_2) : 0U;
    bits |= (s->locked != 0U) ? IN_LOCKED : 0U;
    return bits;
}

static void write_status(const estop_state_t *s, const estop_inputs_t *in, uint8_t frame[FRAME_BYTES])
{
    frame[2] = (uint8_t)s->state;
    frame[3] = (uint8_t)input_bits(s, in);
    wire_put16(&frame[4], s->session);
    wire_put16(&frame[6], s->seq);
    wire_put32(&frame[8], s->challenge);
    wire_close(s->unit, TYPE_STATUS, frame);
}

static void write_page(uint8_t frame[FRAME_BYTES], uint32_t page, uint32_t a, uint32_t b)
{
    frame[2] = (uint8_t)page;
    frame[3] = (uint8_t)capped(a, 0xFFU);
    wire_put16(&frame[4], capped(b, COUNT16_MAX));
}

static void write_diag(const estop_state_t *s, const estop_inputs_t *in, uint32_t page, uint8_t frame[FRAME_BYTES])
{
    uint32_t half = 0U;
    uint32_t word = 0U;
    if (page == PAGE_IDENT) {
        write_page(frame, page, PROTOCOL_VERSION, FIRMWARE_VERSION);
        half = s->boots;
        word = s->image_crc;
    } else if (page == PAGE_LINK) {
        write_page(frame, page, s->bad, s->refused);
        half = s->damaged;
        word = s->accepted;
    } else if (page == PAGE_HEALTH) {
        write_page(frame, page, estop_blockers(s, in), s->cycle_max_us / US_PER_CYCLE_UNIT);
        half = s->session;
        word = s->uptime_ms;
    } else {
        const estop_event_t *event = &s->event[page % EVENTS];
        write_page(frame, page, event->cause, event->number);
        half = event->link_us / US_PER_UNIT;
        word = event->at_ms;
    }
    wire_put16(&frame[6], capped(half, COUNT16_MAX));
    wire_put32(&frame[8], word);
    wire_close(s->unit, TYPE_DIAG, frame);
}

/* The page whose turn it is: the latest event if it is new, else the round of all pages. */
static uint32_t next_page(estop_state_t *s)
{
    uint32_t page = PAGE_EVENT + s->event_slot;
    if (s->diag_event == 0U) {
        page = s->diag_page;
        uint32_t after = (page == PAGE_HEALTH) ? PAGE_EVENT : (page + 1U);
        s->diag_page = (after >= (PAGE_EVENT + EVENTS)) ? PAGE_IDENT : after;
    }
    s->diag_event = 0U;
    return page;
}

void report_speak(estop_state_t *s, const estop_inputs_t *in, estop_outputs_t *out)
{
    out->reply_ready = in->frame_ready;
    out->diag_ready = in->frame_ready && (s->diag_in == 0U);
    /*@ loop invariant k <= FRAME_BYTES;
        loop assigns k, out->reply[0 .. FRAME_BYTES - 1], out->diag[0 .. FRAME_BYTES - 1];
        loop variant FRAME_BYTES - k; */
    for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
        out->reply[k] = 0U;
        out->diag[k] = 0U;
    }
    if (out->reply_ready) {
        write_status(s, in, out->reply);
    }
    if (out->diag_ready) {
        write_diag(s, in, next_page(s), out->diag);
        s->diag_in = DIAG_EVERY - 1U;
    } else if (out->reply_ready) {
        s->diag_in--;
    } else {
        /* nobody asked */
    }
}
