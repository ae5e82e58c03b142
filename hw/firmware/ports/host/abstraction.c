#include "abstraction.h"

#include <stddef.h>
#include <string.h>

#define AGE_MAX 0xFFFFFFFFU

/* Lowest value of every class but the first, which begins at 0. */
static const uint32_t lowest[AGES][CLASSES_MAX] = {
    [AGE_CLOSED] = {0U, RELEASE_US},
    [AGE_DIFFER] = {0U, DISCREPANCY_US + 1U},
    [AGE_KEY] = {0U, KEY_MIN_US, KEY_MAX_US + 1U, KEY_STUCK_US + 1U},
    [AGE_RELAY] = {0U, FEEDBACK_US + 1U},
    [AGE_ARMED] = {0U, ARMED_US + 1U},
    [AGE_ANSWER] = {0U, EARLY_US},
    [AGE_LINK] = {0U, LINK_US + 1U},
};

static const uint32_t states[IS_NONE] = {STATE_SELFTEST, STATE_STOPPED, STATE_ARMED, STATE_RUN};
static const uint32_t commands[3] = {0U, COMMAND_STOP, COMMAND_RUN};
static const uint32_t rests[3] = {0U, REST_YES, REST_NO};

uint32_t age_classes(age_t age)
{
    return (age == AGE_KEY) ? 4U : 2U;
}

uint32_t age_class(age_t age, uint32_t us)
{
    uint32_t found = 0U;
    for (uint32_t k = 1U; k < age_classes(age); k++) {
        found = (us >= lowest[age][k]) ? k : found;
    }
    return found;
}

static uint8_t place(const uint32_t *values, uint32_t count, uint32_t value)
{
    uint32_t k = 0U;
    while ((k < count) && (values[k] != value)) {
        k++;
    }
    return (uint8_t)k;
}

static uint32_t *age_of(estop_state_t *s, age_t age)
{
    uint32_t *const at[AGES] = {&s->closed_us, &s->differ_us, &s->key_us,  &s->relay_us,
                                &s->armed_us,  &s->answer_us, &s->link_us};
    return at[age];
}

uint32_t picture_event(const picture_t *picture)
{
    return (picture->first == 1U) ? 0U : PICTURE_EVENT;
}

bool picture_of(const estop_state_t *s, picture_t *p)
{
    estop_state_t copy = *s;
    p->state = place(states, IS_NONE, s->state);
    p->locked = (uint8_t)s->locked;
    p->channel_fault = (uint8_t)s->channel_fault;
    p->key_down = (uint8_t)s->key_down;
    p->key_present = (s->key_event == s->event_number) ? 1U : 0U;
    p->first = (s->event_number == 0U) ? 1U : 0U;
    p->key_ready = (uint8_t)s->key_ready;
    p->key_stuck = (uint8_t)s->key_stuck;
    p->relay_on = (uint8_t)s->relay_on;
    p->pulse = (uint8_t)s->pulse;
    p->streak = (s->streak >= STREAK_MIN) ? 1U : 0U;
    p->bad = (uint8_t)s->bad;
    p->command = place(commands, 3U, s->host_command);
    p->rest = place(rests, 3U, s->host_rest);
    for (uint32_t k = 0U; k < (uint32_t)AGES; k++) {
        p->age[k] = (uint8_t)age_class((age_t)k, *age_of(&copy, (age_t)k));
    }
    uint32_t flags = s->locked | s->channel_fault | s->key_down | s->key_ready | s->key_stuck | s->relay_on | s->pulse;
    return (p->state < IS_NONE) && (flags <= 1U) && (s->bad <= BAD_LIMIT) && (s->streak <= STREAK_MIN) &&
           (p->command < 3U) && (p->rest < 3U);
}

bool picture_state(const picture_t *p, uint32_t dt_us, uint32_t ends, uint32_t streak, estop_state_t *s)
{
    static const estop_state_t zero = {0};
    bool possible = true;
    *s = zero;
    s->unit = 1U;
    s->boots = 1U;
    s->boot_cause = CAUSE_POWER_UP;
    s->state = states[p->state];
    s->locked = p->locked;
    s->started = 1U;
    s->channel_fault = p->channel_fault;
    s->key_down = p->key_down;
    s->event_number = picture_event(p);
    s->key_event = (p->key_present == 1U) ? s->event_number : (PICTURE_EVENT - 1U);
    s->key_ready = p->key_ready;
    s->key_stuck = p->key_stuck;
    s->relay_on = p->relay_on;
    s->pulse = p->pulse;
    s->session = PICTURE_SESSION;
    s->seq = PICTURE_SEQ;
    s->challenge = PICTURE_CHALLENGE;
    s->random = PICTURE_CHALLENGE;
    s->streak = (p->streak == 1U) ? STREAK_MIN : streak;
    s->bad = p->bad;
    s->host_command = commands[p->command];
    s->host_rest = rests[p->rest];
    s->diag_in = 1U;
    s->diag_page = PAGE_IDENT;
    for (uint32_t k = 0U; k < (uint32_t)AGES; k++) {
        uint32_t from = lowest[k][p->age[k]];
        uint32_t to = ((p->age[k] + 1U) < age_classes((age_t)k)) ? (lowest[k][p->age[k] + 1U] - 1U) : AGE_MAX;
        from = (from < dt_us) ? dt_us : from;
        possible = possible && (from <= to);
        *age_of(s, (age_t)k) = ((((ends >> k) & 1U) == 1U) ? to : from) - dt_us;
    }
    return possible;
}

void picture_ghosts(const picture_t *before, const estop_inputs_t *in, bool event, picture_t *after)
{
    bool begins = in->key && (before->ghost_down == 0U);
    after->ghost_down = in->key ? 1U : 0U;
    after->ghost_up = (!in->key || (before->ghost_up == 1U)) ? 1U : 0U;
    after->ghost_press = begins ? before->ghost_up : before->ghost_press;
    after->ghost_key = begins ? 0U : before->ghost_key;
    if (!in->key || event) {
        after->ghost_press = 0U; /* a press that an event interrupts is void */
    }
    if (!in->key) {
        after->ghost_key = 0U;
    }
    after->ghost_closed = (in->channel_a && in->channel_b) ? before->ghost_closed : 0U;
}

/* Field by field: width in bits and place in the struct. */
#define FIELDS 26U
#define FIELD(name, bits) {offsetof(picture_t, name), bits}

static const struct {
    size_t at;
    uint32_t bits;
} fields[FIELDS] = {
    FIELD(state, 2U),       FIELD(locked, 1U),      FIELD(channel_fault, 1U), FIELD(key_down, 1U),
    FIELD(key_present, 1U), FIELD(key_ready, 1U),   FIELD(key_stuck, 1U),     FIELD(relay_on, 1U),
    FIELD(pulse, 1U),       FIELD(streak, 1U),      FIELD(bad, 2U),           FIELD(command, 2U),
    FIELD(rest, 2U),        FIELD(age[0], 1U),      FIELD(age[1], 1U),        FIELD(age[2], 2U),
    FIELD(age[3], 1U),      FIELD(age[4], 1U),      FIELD(age[5], 1U),        FIELD(age[6], 1U),
    FIELD(ghost_down, 1U),  FIELD(ghost_up, 1U),    FIELD(ghost_press, 1U),   FIELD(ghost_key, 2U),
    FIELD(ghost_closed, 1U), FIELD(first, 1U),
};

uint32_t picture_pack(const picture_t *picture)
{
    const uint8_t *bytes = (const uint8_t *)picture;
    uint32_t key = 0U;
    for (uint32_t k = 0U; k < FIELDS; k++) {
        key = (key << fields[k].bits) | bytes[fields[k].at];
    }
    return key;
}

void picture_unpack(uint32_t key, picture_t *picture)
{
    uint8_t *bytes = (uint8_t *)picture;
    (void)memset(picture, 0, sizeof(*picture));
    for (uint32_t k = FIELDS; k > 0U; k--) {
        bytes[fields[k - 1U].at] = (uint8_t)(key & ((1UL << fields[k - 1U].bits) - 1U));
        key >>= fields[k - 1U].bits;
    }
}
