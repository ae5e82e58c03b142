/* Invariant: whatever contacts, frames, times and memory checks come, a relay is on only in RUN with both channels
 * closed, sound memory and a link in time, RUN begins only in ARMED with the right answer of this very step, and ARMED
 * only in STOPPED when a key comes up that was pressed for this stop.
 *
 * The first seven bytes of the input are the start; then every four bytes are some steps, and sixteen more a frame of
 * its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "estop.h"
#include "exercise.h"
#include "wire.h"

#define FRAME_NONE 0U
#define FRAME_OWN 1U /* any sixteen bytes of the input */
#define FRAME_TURNED 2U /* the right answer with one bit turned */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *data;
    size_t left;
} source_t;

static uint32_t take(source_t *source)
{
    uint32_t byte = 0U;
    if (source->left > 0U) {
        byte = source->data[0];
        source->data++;
        source->left--;
    }
    return byte;
}

/* Steps of the usual length are dense, long ones sparse. */
static uint32_t wait_us(uint32_t byte)
{
    return (byte < 0xC0U) ? (byte * 100U) : (1U << (byte & 0x1FU));
}

/* True if the frame is the right answer. */
static bool fill_frame(source_t *source, const estop_state_t *s, uint32_t kind, uint32_t detail, estop_inputs_t *in)
{
    bool stop = (detail & 1U) == 1U;
    bool moving = (detail & 6U) == 6U;
    in->frame_ready = kind != FRAME_NONE;
    right_frame(s, stop ? COMMAND_STOP : COMMAND_RUN, moving ? REST_NO : REST_YES, in->frame);
    if (kind == FRAME_OWN) {
        for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
            in->frame[k] = (uint8_t)take(source);
        }
    } else if (kind == FRAME_TURNED) {
        uint32_t bit = detail % (8U * BODY_BYTES);
        in->frame[bit / 8U] ^= (uint8_t)(1U << (bit % 8U));
    } else {
        /* right, or none at all */
    }
    uint8_t right[FRAME_BYTES];
    right_frame(s, in->frame[2], in->frame[3], right);
    return in->frame_ready && (memcmp(&right[2], &in->frame[2], FRAME_BYTES - 6U) == 0);
}

static void judge(const estop_state_t *was, const estop_state_t *s, const estop_inputs_t *in,
                  const estop_outputs_t *out, bool right)
{
    bool run = s->state == STATE_RUN;
    bool allowed = in->channel_a && in->channel_b && (in->check == CHECK_PASSED) && (s->link_us <= LINK_US) &&
                   (s->bad < BAD_LIMIT) && (s->channel_fault == 0U) && (s->locked == 0U);
    if ((out->relay_1 || out->relay_2) && !run) {
        abort();
    }
    if (run && !allowed) {
        abort();
    }
    if (run && (was->state != STATE_RUN) && !((was->state == STATE_ARMED) && right && (in->frame[2] == COMMAND_RUN))) {
        abort();
    }
    if ((s->state == STATE_ARMED) && (was->state != STATE_ARMED)) {
        bool released = (was->state == STATE_STOPPED) && (was->key_down == 1U) && !in->key;
        bool meant = was->key_event == was->event_number;
        bool rests = (s->host_command == COMMAND_STOP) && (s->host_rest == REST_YES) && (s->streak >= STREAK_MIN);
        if (!released || !meant || !rests || !allowed) {
            abort();
        }
    }
    if ((was->locked != 0U) && (s->locked == 0U)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source_t source = {data, size};
    estop_state_t state;
    uint32_t now_us = take(&source) << 24U;
    estop_boot_t boot = {take(&source), take(&source), take(&source), take(&source) << 8U, take(&source),
                         CAUSE_RESTART - (take(&source) % CAUSE_RESTART)};
    estop_init(&state, &boot);
    while (source.left > 0U) {
        uint32_t contacts = take(&source);
        uint32_t kind = take(&source);
        uint32_t detail = take(&source);
        uint32_t times = 1U + ((contacts >> 6U) * 20U); /* a contact may stay as it is for a while */
        uint32_t dt_us = wait_us(take(&source));
        for (uint32_t k = 0U; k < times; k++) {
            estop_inputs_t in = {0};
            estop_outputs_t out;
            estop_state_t was = state;
            in.channel_a = (contacts & 1U) == 0U;
            in.channel_b = (contacts & 2U) == 0U;
            in.key = (contacts & 4U) != 0U;
            in.released_1 = (state.relay_on == 0U) != ((contacts & 8U) != 0U);
            in.released_2 = (state.relay_on == 0U) != ((contacts & 16U) != 0U);
            in.damaged = (contacts & 32U) != 0U;
            in.check = ((kind & 0x80U) != 0U) ? (estop_check_t)((kind >> 4U) & 3U) : CHECK_PASSED;
            bool right = fill_frame(&source, &state, kind & 3U, detail, &in);
            now_us += dt_us;
            estop_step(&state, &in, now_us, &out);
            judge(&was, &state, &in, &out, right);
        }
    }
    return 0;
}
