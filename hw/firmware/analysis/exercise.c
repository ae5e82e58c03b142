#include "exercise.h"

#include <string.h>

#include "wire.h"

/* The seeded source of all chance: splitmix, so that every run is the same. */
static uint64_t chance_state;

void exercise_seed(uint64_t seed)
{
    chance_state = seed;
}

uint32_t chance(uint32_t below)
{
    chance_state += 0x9E3779B97F4A7C15ULL;
    uint64_t x = chance_state;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
    return (uint32_t)((x ^ (x >> 31U)) % below);
}

static bool one_in(uint32_t many)
{
    return chance(many) == 0U;
}

void right_frame(const estop_state_t *s, uint8_t command, uint8_t rest, uint8_t frame[FRAME_BYTES])
{
    uint32_t seq = (s->seq + 1U) & 0xFFFFU;
    frame[0] = SYNC_HOST;
    frame[1] = TYPE_HEARTBEAT;
    frame[2] = command;
    frame[3] = rest;
    wire_put16(&frame[4], s->session);
    wire_put16(&frame[6], seq);
    wire_put32(&frame[8], estop_answer(s->unit, s->challenge, s->session, seq));
    wire_put32(&frame[BODY_BYTES], wire_crc(s->unit, frame, BODY_BYTES));
}

/* Something that lasts: how many more steps, and what it does to its contact. */
static bool lasting(uint32_t *left, uint32_t begins_one_in, uint32_t short_steps, uint32_t long_steps)
{
    if (*left > 0U) {
        (*left)--;
    } else if (one_in(begins_one_in)) {
        *left = one_in(3U) ? long_steps : (1U + chance(short_steps));
    } else {
        /* nothing begins */
    }
    return *left > 0U;
}

/* Presses of the reset key: most of the right length, some too short, too long or for ever. */
static bool pressed(world_t *w)
{
    if (w->key > 0U) {
        w->key--;
    } else if (one_in(25U)) {
        uint32_t kind = chance(60U);
        w->key = 10U + chance(60U);
        if (kind < 9U) {
            w->key = 400U + chance(300U);
        } else if (kind == 9U) {
            w->key = 2500U;
        } else {
            /* as long as a hand does it */
        }
    } else {
        /* not pressed */
    }
    return w->key > 0U;
}

static void contacts(world_t *w, estop_inputs_t *in)
{
    bool open_a = lasting(&w->open_a, 500U, 4U, 150U);
    bool open_b = lasting(&w->open_b, 500U, 4U, 150U);
    bool both = lasting(&w->open_both, 500U, 20U, 40U);
    in->channel_a = !(open_a || both);
    in->channel_b = !(open_b || both);
    in->key = pressed(w);
    bool released = w->state.relay_on == 0U;
    in->released_1 = released != lasting(&w->weld_1, 2000U, 3U, 15U);
    in->released_2 = released != lasting(&w->weld_2, 2000U, 3U, 15U);
}

/* Mostly right; now and then exactly one field is wrong, or all of them. */
static void heartbeat(world_t *w, uint32_t dt_us, estop_inputs_t *in)
{
    const estop_state_t *s = &w->state;
    bool early = (s->answer_us + dt_us) < EARLY_US;
    bool run = (s->state == STATE_RUN) || ((s->state == STATE_ARMED) && one_in(3U));
    uint8_t command = (uint8_t)((run != one_in(200U)) ? COMMAND_RUN : COMMAND_STOP);
    uint8_t rest = (uint8_t)(one_in(100U) ? REST_NO : REST_YES);
    in->frame_ready = early ? one_in(100U) : !one_in(8U);
    if (lasting(&w->silent, 500U, 10U, 60U)) {
        in->frame_ready = false;
    }
    if (in->frame_ready) {
        right_frame(s, command, rest, in->frame);
        if (one_in(100U)) {
            uint32_t byte = 2U + chance(10U);
            in->frame[byte] = (uint8_t)(in->frame[byte] ^ (1U << chance(8U)));
        }
        if (one_in(400U)) {
            in->frame[chance(FRAME_BYTES)] = (uint8_t)chance(256U);
        }
    }
    in->damaged = one_in(150U);
}

static uint32_t wait_us(void)
{
    uint32_t kind = chance(1000U);
    if (kind < 975U) {
        return 3000U + chance(5000U);
    }
    if (kind < 990U) {
        return chance(2500U);
    }
    if (kind < 997U) {
        return 15000U + chance(8000U);
    }
    return (kind < 999U) ? (90000U + chance(600000U)) : (0xF0000000U + chance(0x0FFFFFFFU));
}

static estop_check_t memory(world_t *w)
{
    estop_check_t check = CHECK_PASSED;
    if (w->state.state == STATE_SELFTEST) {
        check = one_in(20U) ? CHECK_PASSED : CHECK_RUNNING;
    }
    if (one_in(3000U)) {
        check = (estop_check_t)chance(4U);
    }
    return check;
}

void exercise_begin(world_t *w)
{
    uint32_t cause = one_in(9U) ? (CAUSE_RAM + chance(4U)) : (CAUSE_POWER_UP + chance(3U));
    estop_boot_t boot = {chance(256U), chance(0xFFFFFFFFU), chance(5U), chance(0x20000U), chance(3U), cause};
    uint32_t steps = w->steps;
    uint32_t runs = w->runs;
    (void)memset(w, 0, sizeof(*w));
    w->steps = steps;
    w->runs = runs;
    estop_init(&w->state, &boot);
}

/* What must hold whatever happened before. */
static bool sound(const world_t *w, const estop_inputs_t *in, const estop_outputs_t *out)
{
    const estop_state_t *s = &w->state;
    bool powered = out->relay_1 || out->relay_2;
    bool allowed = (s->state == STATE_RUN) && in->channel_a && in->channel_b && (in->check == CHECK_PASSED) &&
                   (s->link_us <= LINK_US) && (s->bad < BAD_LIMIT) && (s->channel_fault == 0U) && (s->locked == 0U);
    return !powered || allowed;
}

bool exercise_step(world_t *w)
{
    estop_inputs_t in;
    estop_outputs_t out;
    (void)memset(&in, 0, sizeof(in));
    (void)memset(&out, 0xA5, sizeof(out));
    if (one_in(4000U) || ((w->state.locked != 0U) && one_in(20U))) {
        exercise_begin(w);
    }
    if (one_in(9000U)) {
        w->state.state = chance(256U); /* RAM damage */
        w->state.locked = 0U;
    }
    uint32_t dt_us = wait_us();
    w->now_us += dt_us;
    contacts(w, &in);
    heartbeat(w, dt_us, &in);
    in.check = memory(w);
    estop_step(&w->state, &in, w->now_us, &out);
    w->runs += (w->state.state == STATE_RUN) ? 1U : 0U;
    w->steps++;
    return sound(w, &in, &out);
}
