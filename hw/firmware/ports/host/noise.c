/* Noise campaign: frames of the production encoder through a noisy line into the production decoder, by the million.
 *
 *   noise stream|link flips|bursts|line RATE FRAMES SEED ANSWER_PERIODS
 *
 * stream: frames back to back, without a pause that would help the receiver to find the next one. Counts what it takes.
 * link:   one tick every 10 ms against the whole firmware core in RUN, both directions noisy; counts its stops. The
 *         operator is taken to reset at once.
 *
 * flips:  every bit of the bytes is flipped with the chance RATE.
 * bursts: bits are flipped with the chance 1/2 in bursts of 64 bits on average (Gilbert-Elliott); RATE is the mean.
 * line:   as flips, but start and stop bits too, through a receiver that samples characters: a flip there shifts,
 *         drops or invents whole bytes. The Hamming distance of the checksum says nothing about this kind.
 *
 * Prints one line of name=value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "estop.h"
#include "noisy_line.h"
#include "wire.h"

#define UNIT 1U
#define PERIOD_US 10000U
#define CYCLE_BYTES 11U /* bytes of a frame that arrive in its first millisecond */
#define SILENT_PERIODS 10U
#define REST_BITS (1152U - LINE_BITS) /* of 10 ms at 115200 baud */

/* ------------------------------------------------------------------ one direction of the line */

typedef struct {
    noise_t noise;
    bool line;
    uart_t uart;
    wire_t wire;
    uint8_t sent[FRAME_BYTES]; /* the frame under way */
    uint8_t before[FRAME_BYTES]; /* and the one before it: a shifted character may end it a few bits late */
    void (*cycle)(void *board, estop_inputs_t *in);
    void *board;
    estop_inputs_t in; /* of the present cycle of the MCU */
    uint64_t flipped, spoilt, delivered, wrong;
} way_t;

static bool was_sent(const way_t *w, const uint8_t frame[FRAME_BYTES])
{
    return (memcmp(frame, w->sent, FRAME_BYTES) == 0) || (memcmp(frame, w->before, FRAME_BYTES) == 0);
}

/* The MCU's cycle ends. */
static void end_cycle(way_t *w)
{
    if (w->cycle != NULL) {
        w->cycle(w->board, &w->in);
    }
    w->in.damaged = false;
    w->in.frame_ready = false;
}

/* As take_bytes of core/cycle.c: a cycle ends behind a frame. */
static void take(way_t *w, port_received_t received, uint8_t byte)
{
    if (received == PORT_LINE_ERROR) {
        (void)wire_idle(&w->wire);
        w->in.damaged = true;
    } else {
        wire_result_t result = wire_push(&w->wire, UNIT, byte, w->in.frame);
        w->in.damaged = w->in.damaged || (result == WIRE_DAMAGED);
        if (result == WIRE_FRAME) {
            bool same = was_sent(w, w->in.frame);
            w->delivered += same ? 1U : 0U;
            w->wrong += same ? 0U : 1U;
            w->in.frame_ready = true;
            end_cycle(w);
        }
    }
}

static void send_bytes(way_t *w, const uint8_t *bytes)
{
    for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
        take(w, PORT_BYTE, bytes[k]);
        if ((k == (CYCLE_BYTES - 1U)) && w->in.damaged) {
            end_cycle(w);
        }
    }
}

static void send_characters(way_t *w, const uint8_t *bits)
{
    for (uint32_t k = 0U; k < LINE_BITS; k++) {
        port_received_t received = uart_bit(&w->uart, ((uint32_t)bits[k / 8U] >> (k % 8U)) & 1U);
        if (received != PORT_NOTHING) {
            take(w, received, (uint8_t)w->uart.byte);
        }
        if ((k == ((CYCLE_BYTES * CHARACTER_BITS) - 1U)) && w->in.damaged) {
            end_cycle(w);
        }
    }
}

static void book_flips(way_t *w, uint32_t flipped)
{
    w->flipped += flipped;
    w->spoilt += (flipped > 0U) ? 1U : 0U;
}

static void send(way_t *w, const uint8_t frame[FRAME_BYTES])
{
    (void)memcpy(w->before, w->sent, FRAME_BYTES);
    (void)memcpy(w->sent, frame, FRAME_BYTES);
    if (w->line && ((w->noise.wait < LINE_BITS) || (w->uart.count != 0U))) {
        uint8_t bits[LINE_BYTES];
        put_characters(frame, bits);
        book_flips(w, noise_spoil(&w->noise, bits, LINE_BITS));
        send_characters(w, bits);
    } else {
        uint8_t bytes[FRAME_BYTES];
        (void)memcpy(bytes, frame, FRAME_BYTES);
        book_flips(w, noise_spoil(&w->noise, bytes, w->line ? LINE_BITS : FRAME_BITS));
        send_bytes(w, bytes);
    }
}

/* The line rests behind a frame: a character that began late ends. */
static void rest(way_t *w)
{
    while (w->uart.count != 0U) {
        port_received_t received = uart_bit(&w->uart, 1U);
        if (received != PORT_NOTHING) {
            take(w, received, (uint8_t)w->uart.byte);
        }
    }
}

static void seal(uint8_t frame[FRAME_BYTES])
{
    frame[0] = SYNC_HOST;
    frame[1] = TYPE_HEARTBEAT;
    wire_put32(&frame[BODY_BYTES], wire_crc(UNIT, frame, BODY_BYTES));
}

static void print_way(const way_t *w, uint64_t frames, uint64_t silent)
{
    (void)printf("frames=%llu flipped=%llu spoilt=%llu delivered=%llu wrong=%llu silent=%llu",
                 (unsigned long long)frames, (unsigned long long)w->flipped, (unsigned long long)w->spoilt,
                 (unsigned long long)w->delivered, (unsigned long long)w->wrong, (unsigned long long)silent);
}

/* ------------------------------------------------------------------ stream */

static void run_stream(way_t *w, uint64_t frames, uint64_t seed)
{
    uint64_t random = ~seed;
    uint64_t silent = 0U;
    uint64_t lost = 0U; /* frames in a row */
    for (uint64_t k = 0U; k < frames; k++) {
        uint8_t frame[FRAME_BYTES];
        uint64_t word = random_next(&random);
        frame[2] = ((k % 50U) == 0U) ? COMMAND_STOP : COMMAND_RUN;
        frame[3] = ((word & 1U) == 0U) ? REST_NO : REST_YES;
        wire_put16(&frame[4], (uint32_t)(k >> 16U) & 0xFFFFU);
        wire_put16(&frame[6], (uint32_t)k & 0xFFFFU);
        wire_put32(&frame[8], (uint32_t)(word >> 32U));
        seal(frame);
        uint64_t delivered = w->delivered;
        send(w, frame);
        w->in.damaged = false;
        lost = (w->delivered == delivered) ? (lost + 1U) : 0U;
        silent += (lost >= SILENT_PERIODS) ? 1U : 0U;
    }
    print_way(w, frames, silent);
    (void)printf("\n");
}

/* ------------------------------------------------------------------ link */

/* The guard's end, as far as it decides when to send what: safetykit/core/heartbeat.py. */
typedef struct {
    uint32_t session, seq, challenge; /* as the MCU gave them last */
    bool awaiting, resync;
    uint32_t sent_seq;
    uint32_t waited; /* periods since the latest heartbeat */
} host_t;

typedef struct {
    way_t *there;
    noise_t back;
    estop_state_t mcu, fresh; /* `fresh`: just after the operator's reset */
    host_t host;
    uint32_t now_us;
    uint32_t right; /* right answers in this period */
    uint64_t answers, wrong_answers, bad_trips, silent_trips, other_trips;
} board_t;

static void host_learn(host_t *h, uint32_t session, uint32_t seq, uint32_t challenge)
{
    bool ours = h->awaiting && (seq == h->sent_seq);
    h->awaiting = h->awaiting && !ours;
    h->resync = h->resync || !ours;
    h->session = session;
    h->seq = seq;
    h->challenge = challenge;
}

static void host_beat(host_t *h, uint32_t command, uint8_t frame[FRAME_BYTES])
{
    h->sent_seq = (h->seq + 1U) & 0xFFFFU;
    h->awaiting = true;
    h->resync = false;
    h->waited = 0U;
    frame[2] = (uint8_t)command;
    frame[3] = REST_YES;
    wire_put16(&frame[4], h->session);
    wire_put16(&frame[6], h->sent_seq);
    wire_put32(&frame[8], estop_answer(UNIT, h->challenge, h->session, h->sent_seq));
    seal(frame);
}

static void operator_resets(board_t *b)
{
    uint32_t cause = b->mcu.event[b->mcu.event_slot].cause;
    b->bad_trips += (cause == CAUSE_HOST_BAD) ? 1U : 0U;
    b->silent_trips += (cause == CAUSE_HOST_SILENT) ? 1U : 0U;
    b->other_trips += ((cause != CAUSE_HOST_BAD) && (cause != CAUSE_HOST_SILENT)) ? 1U : 0U;
    b->mcu = b->fresh;
    b->mcu.now_us = b->now_us;
    b->host = (host_t){.session = b->mcu.session, .seq = b->mcu.seq, .challenge = b->mcu.challenge};
}

/* One cycle of the firmware. */
static void step(board_t *b, estop_inputs_t *in)
{
    estop_outputs_t out;
    in->channel_a = true;
    in->channel_b = true;
    in->released_1 = b->mcu.relay_on == 0U;
    in->released_2 = b->mcu.relay_on == 0U;
    in->check = CHECK_PASSED;
    estop_step(&b->mcu, in, b->now_us, &out);
    if (out.reply_ready) {
        uint32_t bits = b->there->line ? LINE_BITS : FRAME_BITS;
        uint8_t scratch[LINE_BYTES] = {0};
        if (noise_spoil(&b->back, scratch, bits) == 0U) {
            host_learn(&b->host, wire_get16(&out.reply[4]), wire_get16(&out.reply[6]), wire_get32(&out.reply[8]));
        }
    }
}

/* A cycle of the campaign, with the books. */
static void step_counted(void *board, estop_inputs_t *in)
{
    board_t *b = board;
    uint32_t before = b->mcu.accepted;
    step(b, in);
    if (b->mcu.accepted != before) {
        b->right++;
        b->answers++;
        b->wrong_answers += was_sent(b->there, in->frame) ? 0U : 1U;
    }
    if (b->mcu.state != STATE_RUN) {
        operator_resets(b);
    }
}

/* From power-up to RUN the way it has to go: self-test, right answers, reset key, RUN. */
static void bring_up(board_t *b)
{
    estop_boot_t boot = {.unit = UNIT, .boots = 1U, .seed = 1U, .cause = CAUSE_POWER_UP};
    estop_inputs_t in;
    estop_init(&b->mcu, &boot);
    for (uint32_t k = 0U; k < 100U; k++) {
        (void)memset(&in, 0, sizeof in);
        in.key = (k >= 40U) && (k < 60U);
        in.frame_ready = k > 0U;
        b->host = (host_t){.session = b->mcu.session, .seq = b->mcu.seq, .challenge = b->mcu.challenge};
        host_beat(&b->host, (k < 80U) ? COMMAND_STOP : COMMAND_RUN, in.frame);
        b->now_us += PERIOD_US;
        step(b, &in);
    }
    if (b->mcu.state != STATE_RUN) {
        (void)fprintf(stderr, "the core did not reach RUN, state 0x%02X\n", (unsigned)b->mcu.state);
        exit(1);
    }
    b->fresh = b->mcu;
    b->host = (host_t){.session = b->mcu.session, .seq = b->mcu.seq, .challenge = b->mcu.challenge};
}

static void run_link(way_t *w, uint64_t frames, noise_t back, uint32_t answer_periods)
{
    static board_t b;
    b.there = w;
    b.back = back;
    b.back.wait = UINT64_MAX; /* no noise yet */
    bring_up(&b);
    b.back = back;
    w->cycle = step_counted;
    w->board = &b;
    uint64_t sent = 0U;
    uint64_t periods = 0U;
    uint64_t silent = 0U;
    uint64_t without = 0U; /* periods in a row without a right answer */
    while (sent < frames) {
        uint8_t frame[FRAME_BYTES];
        b.now_us += PERIOD_US;
        b.right = 0U;
        b.host.waited++;
        if (!b.host.awaiting || b.host.resync || (b.host.waited >= answer_periods)) {
            host_beat(&b.host, COMMAND_RUN, frame);
            send(w, frame);
            rest(w);
            sent++;
        } else {
            w->in.damaged = wire_idle(&w->wire) || w->in.damaged; /* longer than GAP_US without a byte */
        }
        end_cycle(w);
        noise_pass(&w->noise, REST_BITS);
        noise_pass(&b.back, REST_BITS);
        periods++;
        without = (b.right == 0U) ? (without + 1U) : 0U;
        silent += (without >= SILENT_PERIODS) ? 1U : 0U;
    }
    print_way(w, frames, silent);
    (void)printf(" periods=%llu answers=%llu wrong_answers=%llu bad_trips=%llu silent_trips=%llu other_trips=%llu\n",
                 (unsigned long long)periods, (unsigned long long)b.answers, (unsigned long long)b.wrong_answers,
                 (unsigned long long)b.bad_trips, (unsigned long long)b.silent_trips,
                 (unsigned long long)b.other_trips);
}

int main(int count, char **argument)
{
    double rate = (count == 7) ? strtod(argument[3], NULL) : 0.0;
    if (!((rate > 0.0) && (rate < 0.5))) {
        (void)fprintf(stderr, "noise stream|link flips|bursts|line RATE FRAMES SEED ANSWER_PERIODS, 0 < RATE < 0.5\n");
        return 2;
    }
    bool bursts = strcmp(argument[2], "bursts") == 0;
    uint64_t frames = strtoull(argument[4], NULL, 10);
    uint64_t seed = strtoull(argument[5], NULL, 10);
    way_t way = {.noise = noise_new(bursts, rate, seed), .line = strcmp(argument[2], "line") == 0};
    if (strcmp(argument[1], "link") == 0) {
        run_link(&way, frames, noise_new(bursts, rate, seed + 1U), (uint32_t)strtoul(argument[6], NULL, 10));
    } else {
        run_stream(&way, frames, seed);
    }
    return 0;
}
