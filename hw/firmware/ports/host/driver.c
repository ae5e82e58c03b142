#include "driver.h"

#include <string.h>

#include "wire.h"

extern const uint32_t script_bytes;
extern const uint32_t trace_bytes;
extern const uint32_t driver_bytes;

const uint32_t script_bytes = (uint32_t)sizeof(script_t);
const uint32_t trace_bytes = (uint32_t)sizeof(trace_t);
const uint32_t driver_bytes = (uint32_t)sizeof(driver_t);

#define UNWRITTEN 0xEEU

/* Outputs, and the byte behind them that nobody may write. */
typedef struct {
    estop_outputs_t out;
    uint8_t behind;
} guarded_t;

static void write_frame(driver_t *driver, const script_t *script, uint32_t session, uint32_t seq, uint32_t answer)
{
    uint8_t *frame = driver->frame;
    frame[0] = (uint8_t)SYNC_HOST;
    frame[1] = (uint8_t)TYPE_HEARTBEAT;
    frame[2] = (script->host == HOST_COMMAND) ? (uint8_t)script->random : script->command;
    frame[3] = (script->host == HOST_REST) ? (uint8_t)script->random : script->rest;
    wire_put16(&frame[4], session);
    wire_put16(&frame[6], seq);
    wire_put32(&frame[8], answer);
    wire_put32(&frame[BODY_BYTES], wire_crc(driver->state.unit, frame, BODY_BYTES));
}

/* Sixteen bytes from one word; the sync and type bytes are sometimes right. */
static void write_noise(driver_t *driver, uint32_t random)
{
    uint32_t x = random | 1U;
    for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
        x = (x * 1664525U) + 1013904223U;
        driver->frame[k] = (uint8_t)(x >> 24U);
    }
    if ((random & 0x100U) != 0U) {
        driver->frame[2] = (uint8_t)COMMAND_RUN;
    }
}

static void speak_as_host(driver_t *driver, const script_t *script)
{
    const estop_state_t *s = &driver->state;
    uint32_t session = s->session;
    uint32_t seq = (s->seq + 1U) & 0xFFFFU;
    uint32_t unit = s->unit;
    uint32_t challenge = s->challenge;
    uint32_t turned = 0U;
    switch (script->host) {
    case HOST_SEQ_SAME:
        seq = s->seq;
        break;
    case HOST_SEQ_AHEAD:
        seq = (seq + 1U + (script->random % 0xFFFFU)) & 0xFFFFU;
        break;
    case HOST_SESSION:
        session = (session + 1U + (script->random % 0xFFFFU)) & 0xFFFFU;
        break;
    case HOST_ANSWER_BIT:
        turned = 1UL << (script->random % 32U);
        break;
    case HOST_CHALLENGE:
        challenge = driver->challenge_before;
        break;
    case HOST_UNIT:
        unit = s->unit ^ 1U;
        break;
    default:
        break;
    }
    if (script->host == HOST_NOISE) {
        write_noise(driver, script->random);
    } else if (script->host != HOST_REPEATED) {
        write_frame(driver, script, session, seq, estop_answer(unit, challenge, session, seq) ^ turned);
    } else {
        /* once more what was sent last */
    }
}

void driver_inputs(driver_t *driver, const script_t *script, estop_inputs_t *in)
{
    static const estop_inputs_t nothing = {0};
    bool released = driver->state.relay_on == 0U;
    *in = nothing;
    in->channel_a = (script->flags & SCRIPT_A) != 0U;
    in->channel_b = (script->flags & SCRIPT_B) != 0U;
    in->key = (script->flags & SCRIPT_KEY) != 0U;
    in->released_1 = released != ((script->flags & SCRIPT_MIRROR_1) != 0U);
    in->released_2 = released != ((script->flags & SCRIPT_MIRROR_2) != 0U);
    in->damaged = (script->flags & SCRIPT_DAMAGED) != 0U;
    in->check = (estop_check_t)script->check;
    in->frame_ready = script->host != HOST_NONE;
    if (in->frame_ready) {
        speak_as_host(driver, script);
        (void)memcpy(in->frame, driver->frame, FRAME_BYTES);
    }
}

static void write_trace(const driver_t *driver, const estop_inputs_t *in, const estop_outputs_t *out, trace_t *trace)
{
    const estop_state_t *s = &driver->state;
    uint32_t seen = 0U;
    seen |= (in->channel_a ? 0x01U : 0U) | (in->channel_b ? 0x02U : 0U) | (in->key ? 0x04U : 0U);
    seen |= (in->released_1 ? 0x08U : 0U) | (in->released_2 ? 0x10U : 0U);
    seen |= (in->damaged ? SCRIPT_DAMAGED : 0U) | (in->frame_ready ? TRACE_READY : 0U);
    uint32_t made = 0U;
    made |= (out->relay_1 ? TRACE_RELAY_1 : 0U) | (out->relay_2 ? TRACE_RELAY_2 : 0U);
    made |= (out->led ? TRACE_LED : 0U) | (out->reply_ready ? TRACE_REPLY : 0U) | (out->diag_ready ? TRACE_DIAG : 0U);
    trace->now_us = driver->now_us;
    trace->check = (uint32_t)in->check;
    trace->cause = s->event[s->event_slot % EVENTS].cause;
    trace->number = s->event_number;
    trace->seen = (uint8_t)seen;
    trace->out = (uint8_t)made;
    trace->state = (uint8_t)s->state;
    trace->locked = (uint8_t)((s->locked != 0U) ? 1U : 0U);
    trace->blockers = estop_blockers(s, in);
    (void)memcpy(trace->frame, in->frame, FRAME_BYTES);
    (void)memcpy(trace->reply, out->reply, FRAME_BYTES);
    (void)memcpy(trace->diag, out->diag, FRAME_BYTES);
}

uint32_t driver_run(driver_t *driver, const script_t *script, uint32_t count, const estop_boot_t *boots, trace_t *trace)
{
    uint32_t booted = 0U;
    for (uint32_t k = 0U; k < count; k++) {
        if ((script[k].flags & SCRIPT_BOOT) != 0U) {
            estop_init(&driver->state, &boots[booted]);
            booted++;
        }
        estop_inputs_t in;
        guarded_t made;
        (void)memset(&made, UNWRITTEN, sizeof(made)); /* what the step does not write shows in the trace */
        driver_inputs(driver, &script[k], &in);
        driver->now_us += script[k].dt_us;
        uint32_t challenge = driver->state.challenge;
        estop_step(&driver->state, &in, driver->now_us, &made.out);
        driver->challenge_before = (driver->state.challenge != challenge) ? challenge : driver->challenge_before;
        if (trace != NULL) {
            write_trace(driver, &in, &made.out, &trace[k]);
            trace[k].out |= (made.behind != UNWRITTEN) ? (uint8_t)TRACE_BEYOND : 0U;
        }
    }
    return booted;
}
