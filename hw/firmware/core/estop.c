#include "estop.h"

#include "report.h"
#include "wire.h"

#define AGE_MAX 0xFFFFFFFFU
#define US_PER_MS 1000U

#define BIT(cause) ((uint32_t)1U << (cause))

/* cppcheck-suppress misra-c2012-8.9 ; a table of the protocol stands at the top of the file */
static const uint32_t stage_tokens[STAGES] = STAGE_TOKENS;

/* What changed in this cycle. */
typedef struct {
    bool late;      /* the cycle came too late */
    bool opened;    /* the channels had been closed long enough for a reset, and are no longer */
    bool parted;    /* a discrepancy became a fault */
    bool turned;    /* a press of the reset key ended */
    bool answered;  /* a right answer came */
    bool host_stop; /* the host asked to stop */
} news_t;

/* ------------------------------------------------------------------ arithmetic */

static uint32_t grown(uint32_t age, uint32_t by)
{
    return (age > (AGE_MAX - by)) ? AGE_MAX : (age + by);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return (a < b) ? a : b;
}

static uint32_t flag(bool value)
{
    return value ? 1U : 0U;
}

static uint32_t rotated(uint32_t value)
{
    return (value << PROGRESS_ROTATE) | (value >> (32U - PROGRESS_ROTATE));
}

/* xorshift32: every value but 0 once in 2^32 - 1 steps, so a challenge does not come again in the life of a board. It
 * is no secret: the link keeps faults out, not attackers. */
static uint32_t random_next(estop_state_t *s)
{
    uint32_t x = s->random;
    x ^= x << 13U;
    x ^= x >> 17U;
    x ^= x << 5U;
    s->random = x;
    return x;
}

static void new_challenge(estop_state_t *s)
{
    s->challenge = random_next(s);
    s->answer_us = 0U;
}

/* Another session number than before; what the host said in the old one no longer counts. */
static void new_session(estop_state_t *s)
{
    uint32_t step = (random_next(s) % COUNT16_MAX) + 1U; /* 1 to 65535: never the same number again */
    s->session = (s->session + step) & COUNT16_MAX;
    s->streak = 0U;
    s->host_command = 0U;
    s->host_rest = 0U;
}

/* ------------------------------------------------------------------ stop events */

static void record_event(estop_state_t *s, uint32_t cause)
{
    s->event_number = (s->event_number % COUNT16_MAX) + 1U; /* never 0 */
    s->event_slot = (s->event_slot + 1U) % EVENTS;
    /*@ assert slot: s->event_slot < EVENTS; */
    estop_event_t *event = &s->event[s->event_slot];
    event->cause = cause;
    event->number = s->event_number;
    event->link_us = s->link_us;
    event->at_ms = s->uptime_ms;
    s->diag_event = 1U;
    s->diag_in = 0U;
}

static void latch(estop_state_t *s, uint32_t cause)
{
    s->state = STATE_STOPPED;
    record_event(s, cause);
    new_session(s);
    new_challenge(s);
}

/* ------------------------------------------------------------------ time */

/* Lets all ages grow; returns true if this cycle came too late. */
static bool take_time(estop_state_t *s, uint32_t now_us)
{
    uint32_t dt_us = (s->started == 1U) ? (now_us - s->now_us) : 0U;
    s->started = 1U;
    s->now_us = now_us;
    s->cycle_max_us = (dt_us > s->cycle_max_us) ? dt_us : s->cycle_max_us;
    s->closed_us = grown(s->closed_us, dt_us);
    s->differ_us = grown(s->differ_us, dt_us);
    s->key_us = grown(s->key_us, dt_us);
    s->relay_us = grown(s->relay_us, dt_us);
    s->armed_us = grown(s->armed_us, dt_us);
    s->answer_us = grown(s->answer_us, dt_us);
    s->link_us = grown(s->link_us, dt_us);
    uint32_t rest_us = s->uptime_rest_us + (dt_us % US_PER_MS);
    s->uptime_ms = grown(s->uptime_ms, (dt_us / US_PER_MS) + (rest_us / US_PER_MS));
    s->uptime_rest_us = rest_us % US_PER_MS;
    return dt_us > CYCLE_US;
}

/* ------------------------------------------------------------------ contacts */

/* Trips on the first open sample; only closing is filtered. Two channels that differ for too long are a fault that
 * ends only after both have been seen open. */
static void watch_channels(estop_state_t *s, const estop_inputs_t *in)
{
    if (!(in->channel_a && in->channel_b)) {
        s->closed_us = 0U;
    }
    if (in->channel_a == in->channel_b) {
        s->differ_us = 0U;
    } else if (s->differ_us > DISCREPANCY_US) {
        s->channel_fault = 1U;
    } else {
        /* differing, not for too long yet */
    }
    if (!in->channel_a && !in->channel_b) {
        s->channel_fault = 0U;
    }
}

/* True in the cycle in which a press of the right length ends that was made after the present stop event. Acting on
 * the release keeps a welded or taped key from resetting anything. */
static bool key_turned(estop_state_t *s, const estop_inputs_t *in)
{
    bool turned = false;
    if (in->key) {
        if (s->key_down == 0U) {
            s->key_us = 0U;
            s->key_event = (s->key_ready == 1U) ? s->event_number : 0U;
        }
        s->key_down = 1U;
        if (s->key_us > KEY_STUCK_US) {
            s->key_stuck = 1U;
        }
    } else {
        turned = (s->key_down == 1U) && (s->key_us >= KEY_MIN_US) && (s->key_us <= KEY_MAX_US) &&
                 (s->key_event == s->event_number);
        s->key_down = 0U;
        s->key_stuck = 0U;
        s->key_ready = 1U;
    }
    return turned;
}

/* ------------------------------------------------------------------ host */

uint32_t estop_answer(uint32_t unit, uint32_t challenge, uint32_t session, uint32_t seq)
{
    uint32_t progress = challenge;
    /*@ loop invariant k <= STAGES;
        loop assigns k, progress;
        loop variant STAGES - k; */
    for (uint32_t k = 0U; k < STAGES; k++) {
        progress = rotated(progress) ^ stage_tokens[k];
    }
    uint8_t sealed[8];
    wire_put32(&sealed[0], progress);
    wire_put16(&sealed[4], session);
    wire_put16(&sealed[6], seq);
    return wire_crc(unit, sealed, 8U);
}

/* Every field of the heartbeat is as it must be, and it did not come too early. */
static bool right_answer(const estop_state_t *s, const uint8_t *frame)
{
    uint32_t seq = (s->seq + 1U) & COUNT16_MAX;
    return ((frame[2] == COMMAND_STOP) || (frame[2] == COMMAND_RUN)) &&
           ((frame[3] == REST_YES) || (frame[3] == REST_NO)) && (wire_get16(&frame[4]) == s->session) &&
           (wire_get16(&frame[6]) == seq) && (s->answer_us >= EARLY_US) &&
           (wire_get32(&frame[8]) == estop_answer(s->unit, s->challenge, s->session, seq));
}

static void count_bad(estop_state_t *s)
{
    s->bad = least(s->bad + 1U, BAD_LIMIT);
    s->streak = 0U;
}

static void accept(estop_state_t *s, const uint8_t *frame)
{
    s->seq = (s->seq + 1U) & COUNT16_MAX;
    s->bad = (s->bad > 0U) ? (s->bad - 1U) : 0U;
    s->streak = (s->link_us > LINK_US) ? 1U : least(s->streak + 1U, STREAK_MIN); /* a silence ends the row */
    s->link_us = 0U;
    s->host_command = frame[2];
    s->host_rest = frame[3];
    s->accepted = grown(s->accepted, 1U);
}

/* Takes what came over the line. A STOP counts in a frame that is refused, too: stopping needs no right. */
static void listen(estop_state_t *s, const estop_inputs_t *in, news_t *news)
{
    news->answered = false;
    news->host_stop = in->frame_ready && (in->frame[2] == COMMAND_STOP);
    if (in->damaged) {
        s->damaged = grown(s->damaged, 1U);
        count_bad(s);
    }
    if (in->frame_ready) {
        if (right_answer(s, in->frame)) {
            accept(s, in->frame);
            news->answered = true;
        } else {
            s->refused = grown(s->refused, 1U);
            count_bad(s);
        }
        new_challenge(s);
    }
}

/* ------------------------------------------------------------------ conditions and transitions */

/* Conditions of this cycle, one bit for each cause. */
static uint32_t conditions(const estop_state_t *s, const estop_inputs_t *in, const news_t *news)
{
    bool settled = s->relay_us > FEEDBACK_US;
    uint32_t bits = 0U;
    bits |= flag(in->check == CHECK_RAM) << CAUSE_RAM;
    bits |= flag((in->check != CHECK_PASSED) && (in->check != CHECK_RAM)) << CAUSE_PROGRAM;
    bits |= flag((s->relay_on == 0U) && settled && (!in->released_1 || !in->released_2)) << CAUSE_RELAY_STUCK;
    bits |= flag((s->relay_on == 1U) && settled && (in->released_1 || in->released_2)) << CAUSE_RELAY_DEAD;
    bits |= flag(!(in->channel_a && in->channel_b)) << CAUSE_CHANNEL;
    bits |= s->channel_fault << CAUSE_DISCREPANCY;
    bits |= flag(news->late) << CAUSE_CYCLE;
    bits |= flag(s->bad >= BAD_LIMIT) << CAUSE_HOST_BAD;
    bits |= flag(s->link_us > LINK_US) << CAUSE_HOST_SILENT;
    bits |= flag(news->host_stop && (s->state == STATE_RUN)) << CAUSE_HOST_STOP;
    bits |= flag((s->state == STATE_ARMED) && (s->armed_us > ARMED_US)) << CAUSE_EXPIRED;
    return bits;
}

/* The first cause whose bit is set; CAUSE_NONE if none is. */
static uint32_t first_cause(uint32_t bits)
{
    uint32_t cause = CAUSE_NONE;
    /*@ loop invariant k <= CAUSE_EXPIRED;
        loop invariant cause != CAUSE_NONE ==> k < cause <= CAUSE_EXPIRED && (bits & BIT(cause)) != 0;
        loop invariant \forall integer j; k < j <= CAUSE_EXPIRED && (cause == CAUSE_NONE || j < cause) ==>
          (bits & BIT(j)) == 0;
        loop assigns k, cause;
        loop variant k; */
    for (uint32_t k = CAUSE_EXPIRED; k > CAUSE_NONE; k--) {
        cause = ((bits & BIT(k)) != 0U) ? k : cause;
    }
    return cause;
}

uint32_t estop_blockers(const estop_state_t *s, const estop_inputs_t *in)
{
    bool closed = in->channel_a && in->channel_b && (s->closed_us >= RELEASE_US) && (s->channel_fault == 0U);
    bool linked = (s->streak >= STREAK_MIN) && (s->link_us <= LINK_US);
    uint32_t bits = 0U;
    bits |= (s->locked == 0U) ? 0U : BLOCK_LOCKED;
    bits |= closed ? 0U : BLOCK_CHANNELS;
    bits |= (in->released_1 && in->released_2) ? 0U : BLOCK_RELAYS;
    bits |= linked ? 0U : BLOCK_LINK;
    bits |= (s->host_command == COMMAND_STOP) ? 0U : BLOCK_COMMAND;
    bits |= (s->host_rest == REST_YES) ? 0U : BLOCK_MOVING;
    bits |= ((s->key_stuck == 0U) && (s->key_ready == 1U)) ? 0U : BLOCK_KEY;
    return bits;
}

/* A stop while stopped already is an event of its own when it says something new: a locking fault, a button pressed
 * again, channels that differ. It ends a reset that is under way. */
static uint32_t fresh_cause(const estop_state_t *s, uint32_t bits, const news_t *news)
{
    uint32_t fresh = (s->locked == 0U) ? (bits & CAUSES_LOCKING) : 0U;
    fresh |= news->opened ? (bits & BIT(CAUSE_CHANNEL)) : 0U;
    fresh |= news->parted ? (bits & BIT(CAUSE_DISCREPANCY)) : 0U;
    return first_cause(fresh);
}

static void stop_for(estop_state_t *s, uint32_t cause)
{
    s->locked |= flag((BIT(cause) & CAUSES_LOCKING) != 0U);
    /*@ assert stays: \at(s->locked, Pre) != 0 ==> s->locked != 0; */
    latch(s, cause);
}

static void advance(estop_state_t *s, const estop_inputs_t *in, const news_t *news)
{
    uint32_t bits = conditions(s, in, news);
    uint32_t cause = first_cause(bits);
    switch (s->state) {
    case STATE_SELFTEST:
        if (in->check != CHECK_RUNNING) {
            uint32_t damage = first_cause(bits & (BIT(CAUSE_RAM) | BIT(CAUSE_PROGRAM)));
            stop_for(s, (damage == CAUSE_NONE) ? s->boot_cause : damage);
        }
        break;
    case STATE_ARMED:
        if (cause != CAUSE_NONE) {
            stop_for(s, cause);
        } else if (news->answered && (s->host_command == COMMAND_RUN) && (s->host_rest == REST_YES)) {
            s->state = STATE_RUN;
        } else {
            /* waits for the guard */
        }
        break;
    case STATE_RUN:
        if (cause != CAUSE_NONE) {
            stop_for(s, cause);
        }
        break;
    case STATE_STOPPED:
        cause = fresh_cause(s, bits, news);
        if (cause != CAUSE_NONE) {
            stop_for(s, cause);
        } else if (news->turned && (estop_blockers(s, in) == 0U)) {
            s->state = STATE_ARMED;
            s->armed_us = 0U;
        } else {
            /* stays latched */
        }
        break;
    default: /* no such state: as if RAM were damaged */
        stop_for(s, CAUSE_RAM);
        break;
    }
}

/* ------------------------------------------------------------------ outputs */

static void drive_relays(estop_state_t *s, estop_outputs_t *out)
{
    uint32_t on = flag(s->state == STATE_RUN);
    if (on != s->relay_on) {
        s->relay_on = on;
        s->relay_us = 0U;
    }
    s->pulse = (on == 1U) ? (1U - s->pulse) : 0U;
    out->relay_1 = on == 1U;
    out->relay_2 = s->pulse == 1U;
}

/* ------------------------------------------------------------------ the function */

void estop_init(estop_state_t *s, const estop_boot_t *boot)
{
    static const estop_state_t zero = {0};
    *s = zero;
    s->unit = boot->unit;
    s->image_crc = boot->image_crc;
    s->boots = boot->boots;
    s->state = STATE_SELFTEST;
    s->link_us = AGE_MAX;
    s->event_number = boot->event_number & COUNT16_MAX;
    s->boot_cause = boot->cause;
    s->random = (boot->seed == 0U) ? 1U : boot->seed;
    new_session(s);
    new_challenge(s);
}

void estop_step(estop_state_t *s, const estop_inputs_t *in, uint32_t now_us, estop_outputs_t *out)
{
    bool ready_before = s->closed_us >= RELEASE_US;
    uint32_t fault_before = s->channel_fault;
    news_t news;
    news.late = take_time(s, now_us);
    watch_channels(s, in);
    news.opened = ready_before && (s->closed_us == 0U);
    news.parted = (fault_before == 0U) && (s->channel_fault == 1U);
    news.turned = key_turned(s, in);
    listen(s, in, &news);
    advance(s, in, &news);
    drive_relays(s, out);
    out->led = report_lamp(s);
    report_speak(s, in, out);
}
