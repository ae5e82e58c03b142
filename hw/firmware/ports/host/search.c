#include "search.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 16777216U /* power of two, twice the capacity */
#define EMPTY 0xFFFFFFFFU
#define CONTACTS 32U
#define STREAKS 2U
#define TIME_SYMBOL 0x80000000U /* the rest is the age that grew */
#define LATE_US (CYCLE_US + 1U)

typedef struct {
    uint32_t key;
    uint32_t parent;
    uint32_t symbol;
} node_t;

/* One input symbol. */
typedef struct {
    uint32_t contacts;
    uint32_t check;
    uint32_t late;
    uint32_t frame;
    uint32_t streak;
} symbol_t;

typedef struct {
    uint8_t host;
    uint8_t command;
    uint8_t rest;
    bool damaged;
} line_t;

static const line_t lines[SEARCH_FRAMES] = {
    {HOST_NONE, 0U, 0U, false},
    {HOST_NONE, 0U, 0U, true},
    {HOST_RIGHT, COMMAND_STOP, REST_YES, false},
    {HOST_RIGHT, COMMAND_STOP, REST_NO, false},
    {HOST_RIGHT, COMMAND_RUN, REST_YES, false},
    {HOST_RIGHT, COMMAND_RUN, REST_NO, false},
    {HOST_RIGHT, COMMAND_RUN, REST_YES, true},
    {HOST_RIGHT, COMMAND_STOP, REST_YES, true},
    {HOST_ANSWER_BIT, COMMAND_RUN, REST_YES, false},
    {HOST_ANSWER_BIT, COMMAND_STOP, REST_YES, false},
    {HOST_SESSION, COMMAND_RUN, REST_YES, false},
    {HOST_SEQ_SAME, COMMAND_RUN, REST_YES, false},
    {HOST_SEQ_AHEAD, COMMAND_RUN, REST_YES, true},
    {HOST_COMMAND, COMMAND_RUN, REST_YES, false},
    {HOST_REST, COMMAND_RUN, REST_YES, false},
    {HOST_UNIT, COMMAND_RUN, REST_YES, false},
};

static node_t *nodes;
static uint32_t *slots;
static uint32_t count;
static uint8_t frames[SEARCH_FRAMES][FRAME_BYTES];

static uint32_t mixed(uint32_t x)
{
    x ^= x >> 16U;
    x *= 0x7FEB352DU;
    x ^= x >> 15U;
    x *= 0x846CA68BU;
    return x ^ (x >> 16U);
}

/* The slot of `key`: its own or the free one where it belongs. */
static uint32_t slot_of(uint32_t key)
{
    uint32_t at = mixed(key) % SLOTS;
    while ((slots[at] != EMPTY) && (nodes[slots[at]].key != key)) {
        at = (at + 1U) % SLOTS;
    }
    return at;
}

static bool reach(uint32_t key, uint32_t parent, uint32_t symbol)
{
    uint32_t at = slot_of(key);
    bool room = true;
    if (slots[at] == EMPTY) {
        room = count < SEARCH_CAPACITY;
        if (room) {
            const node_t node = {key, parent, symbol};
            nodes[count] = node;
            slots[at] = count;
            count++;
        }
    }
    return room;
}

bool search_has(uint32_t key)
{
    return (slots != NULL) && (slots[slot_of(key)] != EMPTY);
}

/* The frames depend on session, sequence number and challenge only, which are the same in every picture. */
static void make_frames(void)
{
    picture_t start;
    driver_t driver = {0};
    (void)memset(&start, 0, sizeof(start));
    (void)picture_state(&start, 0U, 0U, 0U, &driver.state);
    for (uint32_t k = 0U; k < SEARCH_FRAMES; k++) {
        script_t script = {0};
        estop_inputs_t in;
        script.host = lines[k].host;
        script.command = lines[k].command;
        script.rest = lines[k].rest;
        driver_inputs(&driver, &script, &in);
        (void)memcpy(frames[k], in.frame, FRAME_BYTES);
    }
}

static void inputs_of(const symbol_t *symbol, estop_inputs_t *in)
{
    in->channel_a = (symbol->contacts & 1U) != 0U;
    in->channel_b = (symbol->contacts & 2U) != 0U;
    in->key = (symbol->contacts & 4U) != 0U;
    in->released_1 = (symbol->contacts & 8U) != 0U;
    in->released_2 = (symbol->contacts & 16U) != 0U;
    in->damaged = lines[symbol->frame].damaged;
    in->frame_ready = lines[symbol->frame].host != HOST_NONE;
    (void)memcpy(in->frame, frames[symbol->frame], FRAME_BYTES);
    in->check = (estop_check_t)symbol->check;
}

static uint32_t longest(uint64_t us)
{
    return (us > 0xFFFFFFFFU) ? 0xFFFFFFFFU : (uint32_t)us;
}

static bool right(const picture_t *before, const symbol_t *symbol)
{
    return (lines[symbol->frame].host == HOST_RIGHT) && (before->age[AGE_ANSWER] == 1U);
}

/* Something that ends ARMED and RUN at once, told from the inputs and from the time that has passed. */
static bool must_stop(const picture_t *before, const symbol_t *symbol, const estop_inputs_t *in)
{
    bool answered = right(before, symbol);
    bool settled = before->age[AGE_RELAY] == 1U;
    bool stuck = (before->relay_on == 0U) && !(in->released_1 && in->released_2);
    bool dead = (before->relay_on == 1U) && (in->released_1 || in->released_2);
    uint32_t wrong = (in->damaged ? 1U : 0U) + ((in->frame_ready && !answered) ? 1U : 0U);
    uint32_t bad = before->bad + wrong;
    bad = (bad > BAD_LIMIT) ? BAD_LIMIT : bad;
    bad -= (answered && (bad > 0U)) ? 1U : 0U;
    return !in->channel_a || !in->channel_b || (in->check != CHECK_PASSED) || (symbol->late == 1U) ||
           (settled && (stuck || dead)) || (bad >= BAD_LIMIT) || (!answered && (before->age[AGE_LINK] == 1U)) ||
           ((before->state == IS_RUN) && in->frame_ready && (in->frame[2] == COMMAND_STOP)) ||
           ((before->state == IS_ARMED) && (before->age[AGE_ARMED] == 1U));
}

/* The way to ARMED: STOPPED, both channels closed for long enough, the key released after a press of the right length
 * that began after the latest event, and a live guard that says STOP and rest. */
static bool rightly_armed(const picture_t *before, const estop_inputs_t *in, const picture_t *after)
{
    return (before->state == IS_STOPPED) && (before->locked == 0U) && in->channel_a && in->channel_b &&
           (before->ghost_closed == 1U) && !in->key && (before->ghost_press == 1U) &&
           (before->ghost_key == KEY_CLASS_RIGHT) && in->released_1 && in->released_2 && (after->streak == 1U) &&
           (after->command == 1U) && (after->rest == 1U) && (after->age[AGE_LINK] == 0U);
}

static bool rightly_run(const picture_t *before, const symbol_t *symbol)
{
    return (before->state == IS_ARMED) && right(before, symbol) && (lines[symbol->frame].command == COMMAND_RUN) &&
           (lines[symbol->frame].rest == REST_YES);
}

/* The first rule that this edge breaks. */
static broken_t judged(const picture_t *before, const symbol_t *symbol, const estop_inputs_t *in,
                       const estop_state_t *s, const picture_t *after, const estop_outputs_t *out)
{
    bool event = s->event_number != picture_event(before);
    bool session = s->session != PICTURE_SESSION;
    bool live = (before->state == IS_ARMED) || (before->state == IS_RUN);
    bool stays = after->state == before->state;
    bool on = out->relay_1 || out->relay_2;
    broken_t broken = BROKEN_NOTHING;
    if (on && ((after->state != IS_RUN) || !in->channel_a || !in->channel_b || (in->check != CHECK_PASSED) ||
               (symbol->late == 1U) || (after->locked == 1U))) {
        broken = BROKEN_OUTPUT;
    } else if ((before->locked == 1U) && ((after->locked == 0U) || (after->state != IS_STOPPED))) {
        broken = BROKEN_LOCK;
    } else if ((after->state == IS_RUN) && !stays && !rightly_run(before, symbol)) {
        broken = BROKEN_RUN;
    } else if ((after->state == IS_ARMED) && !stays && !rightly_armed(before, in, after)) {
        broken = BROKEN_ARMED;
    } else if (event && ((after->state != IS_STOPPED) || !session || (s->challenge == PICTURE_CHALLENGE) ||
                         (after->streak == 1U) || (after->command != 0U) || on)) {
        broken = BROKEN_EVENT;
    } else if (session != event) {
        broken = BROKEN_SESSION;
    } else if (live && must_stop(before, symbol, in) && (after->state != IS_STOPPED)) {
        broken = BROKEN_STOP;
    } else if (!stays && ((after->state == IS_SELFTEST) || ((before->state == IS_SELFTEST) && !event))) {
        broken = BROKEN_SELFTEST;
    } else if ((live && (after->state == IS_STOPPED) && !must_stop(before, symbol, in)) ||
               ((after->state == IS_RUN) && (!out->relay_1 || (out->relay_2 != (before->pulse == 0U))))) {
        broken = BROKEN_HELD;
    } else {
        /* as it must be */
    }
    return broken;
}

/* One step from `from` with this symbol. */
static broken_t try_symbol(uint32_t from, const symbol_t *symbol, uint32_t number, search_result_t *result)
{
    picture_t before;
    picture_t after;
    estop_state_t s;
    estop_inputs_t in;
    estop_outputs_t out;
    broken_t broken = BROKEN_NOTHING;
    uint32_t dt_us = (symbol->late == 1U) ? LATE_US : 0U;
    uint32_t ends = mixed(nodes[from].key ^ (number * 0x9E3779B9U));
    picture_unpack(nodes[from].key, &before);
    if (picture_state(&before, dt_us, ends, (symbol->streak == 1U) ? (STREAK_MIN - 1U) : 0U, &s)) {
        inputs_of(symbol, &in);
        estop_step(&s, &in, dt_us, &out);
        bool known = picture_of(&s, &after);
        picture_ghosts(&before, &in, s.event_number != picture_event(&before), &after);
        broken = known ? judged(&before, symbol, &in, &s, &after, &out) : BROKEN_DOMAIN;
        result->edges++;
        if (broken == BROKEN_NOTHING) {
            result->moves[before.state][after.state]++;
            broken = reach(picture_pack(&after), from, number) ? BROKEN_NOTHING : BROKEN_CAPACITY;
        }
    }
    return broken;
}

static broken_t try_symbols(uint32_t from, const search_alphabet_t *alphabet, search_result_t *result)
{
    broken_t broken = BROKEN_NOTHING;
    picture_t before;
    picture_unpack(nodes[from].key, &before);
    const uint32_t total = CONTACTS * SEARCH_CHECKS * 2U * SEARCH_FRAMES * STREAKS;
    for (uint32_t number = 0U; (number < total) && (broken == BROKEN_NOTHING); number++) {
        symbol_t symbol;
        symbol.streak = number % STREAKS;
        symbol.frame = (number / STREAKS) % SEARCH_FRAMES;
        symbol.check = (number / (STREAKS * SEARCH_FRAMES)) % SEARCH_CHECKS;
        symbol.late = (number / (STREAKS * SEARCH_FRAMES * SEARCH_CHECKS)) % 2U;
        symbol.contacts = number / (STREAKS * SEARCH_FRAMES * SEARCH_CHECKS * 2U);
        bool other = (symbol.streak == 0U) || ((lines[symbol.frame].host == HOST_RIGHT) && (before.streak == 0U));
        if (other && (((alphabet->frames >> symbol.frame) & 1U) == 1U) &&
            (((alphabet->checks >> symbol.check) & 1U) == 1U) && (symbol.late <= alphabet->late)) {
            broken = try_symbol(from, &symbol, number, result);
        }
    }
    return broken;
}

/* Time carries one age into its next class. */
static bool let_time_pass(uint32_t from, search_result_t *result)
{
    bool room = true;
    for (uint32_t k = 0U; k < (uint32_t)AGES; k++) {
        picture_t after;
        picture_unpack(nodes[from].key, &after);
        if ((after.age[k] + 1U) < age_classes((age_t)k)) {
            after.age[k]++;
            if ((k == (uint32_t)AGE_KEY) && (after.ghost_down == 1U)) {
                after.ghost_key++;
            } else if (k == (uint32_t)AGE_CLOSED) {
                after.ghost_closed = 1U;
            } else {
                /* no ghost sees this age */
            }
            result->time_edges++;
            room = reach(picture_pack(&after), from, TIME_SYMBOL | k) && room;
        }
    }
    return room;
}

static void tell_path(uint32_t at, search_result_t *result)
{
    while ((nodes[at].parent != at) && (result->depth < 256U)) {
        result->path[result->depth] = nodes[at].symbol;
        result->depth++;
        at = nodes[at].parent;
    }
}

/* A start after which `number` is the number of the last event. */
static void start_with(uint32_t number)
{
    const estop_boot_t boot = {1U, 2U, 1U, number, 3U, CAUSE_POWER_UP};
    estop_state_t s;
    picture_t start;
    estop_init(&s, &boot);
    (void)memset(&start, 0, sizeof(start));
    (void)picture_of(&s, &start);
    (void)reach(picture_pack(&start), count, 0U);
}

bool search_run(const search_alphabet_t *alphabet, search_result_t *result)
{
    (void)memset(result, 0, sizeof(*result));
    if (nodes == NULL) {
        nodes = malloc(SEARCH_CAPACITY * sizeof(node_t));
        slots = malloc(SLOTS * sizeof(uint32_t));
    }
    if ((nodes == NULL) || (slots == NULL)) {
        return false;
    }
    (void)memset(slots, 0xFF, SLOTS * sizeof(uint32_t));
    count = 0U;
    make_frames();
    start_with(PICTURE_EVENT);
    start_with(0U); /* the first start ever */
    broken_t broken = BROKEN_NOTHING;
    uint32_t at = 0U;
    for (; (at < count) && (broken == BROKEN_NOTHING); at++) {
        picture_t picture;
        picture_unpack(nodes[at].key, &picture);
        result->by_state[picture.state]++;
        broken = let_time_pass(at, result) ? try_symbols(at, alphabet, result) : BROKEN_CAPACITY;
    }
    result->states = count;
    result->broken = (uint32_t)broken;
    if (broken != BROKEN_NOTHING) {
        tell_path(at - 1U, result);
    }
    return broken == BROKEN_NOTHING;
}

/* The ghosts of a real run: what they see, and since when. */
typedef struct {
    picture_t picture;
    uint64_t press_us;
    uint64_t closed_us;
} ghosts_t;

static void follow_step(driver_t *driver, const script_t *line, ghosts_t *ghosts)
{
    estop_inputs_t in;
    estop_outputs_t out;
    picture_t seen;
    uint32_t number = driver->state.event_number;
    uint32_t dt_us = (driver->state.started == 1U) ? line->dt_us : 0U;
    driver_inputs(driver, line, &in);
    driver->now_us += line->dt_us;
    estop_step(&driver->state, &in, driver->now_us, &out);
    ghosts->press_us += dt_us;
    ghosts->closed_us += dt_us;
    if (in.key && (ghosts->picture.ghost_down == 0U)) {
        ghosts->press_us = 0U;
    }
    if (!in.channel_a || !in.channel_b) {
        ghosts->closed_us = 0U;
    }
    picture_ghosts(&ghosts->picture, &in, driver->state.event_number != number, &seen);
    (void)picture_of(&driver->state, &seen);
    seen.ghost_key = in.key ? (uint8_t)age_class(AGE_KEY, longest(ghosts->press_us)) : 0U;
    seen.ghost_closed = (uint8_t)age_class(AGE_CLOSED, longest(ghosts->closed_us));
    ghosts->picture = seen;
}

uint32_t search_follow(driver_t *driver, const script_t *script, uint32_t steps, const estop_boot_t *boots)
{
    uint32_t missing = 0U;
    uint32_t booted = 0U;
    ghosts_t ghosts;
    (void)memset(&ghosts, 0, sizeof(ghosts));
    for (uint32_t k = 0U; k < steps; k++) {
        if ((script[k].flags & SCRIPT_BOOT) != 0U) {
            estop_init(&driver->state, &boots[booted]);
            booted++;
            (void)memset(&ghosts, 0, sizeof(ghosts));
        }
        follow_step(driver, &script[k], &ghosts);
        missing += search_has(picture_pack(&ghosts.picture)) ? 0U : 1U;
    }
    return missing;
}
