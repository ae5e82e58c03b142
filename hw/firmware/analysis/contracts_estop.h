/* What estop.c promises, in ACSL. proof_estop.c includes it behind the source; only Frama-C reads it.
 *
 * The main contract is the last one, of estop_step. Its relay clauses hold for every state that fits into the record,
 * a damaged one included; only what says `sound` builds on a state that estop_init made and estop_step kept.
 * Clauses are small and speak of single fields, because provers find those fast. */
#ifndef CONTRACTS_ESTOP_H
#define CONTRACTS_ESTOP_H

/* Fields that a new session, a stop event and both together write. */
#define SESSION_FIELDS s->random, s->session, s->streak, s->host_command, s->host_rest
#define EVENT_FIELDS s->event_number, s->event_slot, s->event[0 .. EVENTS - 1], s->diag_event, s->diag_in
#define STOP_FIELDS SESSION_FIELDS, EVENT_FIELDS, s->challenge, s->answer_us, s->state

#define ANY_STATE(x) ((x) == STATE_SELFTEST || (x) == STATE_STOPPED || (x) == STATE_ARMED || (x) == STATE_RUN)
#define STOPS (\old(s->state) != STATE_STOPPED && s->state == STATE_STOPPED)
#define WAIT_US gap{Pre}(s, now_us) /* time since the cycle before */
#define POWERED (out->relay_1 || out->relay_2)
#define BEGINS (s->state == STATE_RUN && \old(s->state) != STATE_RUN)

/*@ lemma locking: \forall integer c; 0 <= c < 32 ==> (((1 << c) & CAUSES_LOCKING) != 0 <==> 1 <= c <= 4);

    // Frama-C's integer theory does not know masks; z3 proves it over bit vectors, lemmas.smt2.
    admit lemma mask: \forall integer x; 0 <= x < 0x100000000 ==> (x & 0xFFFF) == x % 0x10000;

    // Names the value that estop_answer computes, a function of its arguments alone. Its value is a matter of tests.
    axiomatic Answer { logic integer answer_of(integer unit, integer challenge, integer session, integer seq); }

    logic integer grown_by(integer age, integer by) = age + by > AGE_MAX ? AGE_MAX : age + by;
    logic integer gap{L}(estop_state_t *s, integer now) = s->started == 1 ? (uint32_t)(now - s->now_us) : 0;
    logic integer next_seq(integer seq) = (uint32_t)(seq + 1) & COUNT16_MAX;

    predicate right{L}(estop_state_t *s, uint8_t *frame) =
      (frame[2] == COMMAND_STOP || frame[2] == COMMAND_RUN) && (frame[3] == REST_YES || frame[3] == REST_NO) &&
      word16(&frame[4]) == s->session && word16(&frame[6]) == next_seq(s->seq) && s->answer_us >= EARLY_US &&
      word32(&frame[8]) == answer_of(s->unit, s->challenge, s->session, next_seq(s->seq));

    // What estop_init makes and every estop_step keeps.
    predicate sound{L}(estop_state_t *s) =
      ANY_STATE(s->state) && (s->state == STATE_ARMED || s->state == STATE_RUN ==> s->locked == 0) &&
      s->relay_on == (s->state == STATE_RUN ? 1 : 0) && s->locked <= 1 && s->channel_fault <= 1 && s->pulse <= 1 &&
      CAUSE_RAM <= s->boot_cause <= CAUSE_RESTART && s->event_slot < EVENTS && s->bad <= BAD_LIMIT &&
      s->streak <= STREAK_MIN && s->session <= COUNT16_MAX && s->seq <= COUNT16_MAX &&
      s->event_number <= COUNT16_MAX && s->uptime_rest_us < US_PER_MS && known_page(s->diag_page) &&
      s->diag_in < DIAG_EVERY;
*/

/*@ requires by <= AGE_MAX;
    assigns \nothing;
    ensures value: \result == grown_by(age, by); */
static uint32_t grown(uint32_t age, uint32_t by);

/*@ assigns \nothing;
    ensures value: \result == \min(a, b); */
static uint32_t least(uint32_t a, uint32_t b);

/*@ assigns \nothing;
    ensures value: \result == (value ? 1 : 0); */
static uint32_t flag(bool value);

/*@ assigns \nothing; */
static uint32_t rotated(uint32_t value);

/*@ requires \valid(s);
    assigns s->random; */
static uint32_t random_next(estop_state_t *s);

/*@ requires \valid(s);
    assigns s->random, s->challenge, s->answer_us;
    ensures age: s->answer_us == 0; */
static void new_challenge(estop_state_t *s);

/*@ requires \valid(s);
    assigns SESSION_FIELDS;
    ensures range: s->session <= COUNT16_MAX;
    ensures another: \old(s->session) <= COUNT16_MAX ==> s->session != \old(s->session);
    ensures forgotten: s->streak == 0 && s->host_command == 0 && s->host_rest == 0; */
static void new_session(estop_state_t *s);

/*@ requires \valid(s);
    assigns EVENT_FIELDS;
    ensures range: 1 <= s->event_number <= COUNT16_MAX && s->event_slot < EVENTS;
    ensures another: \old(s->event_number) <= COUNT16_MAX ==> s->event_number != \old(s->event_number);
    ensures cause: s->event[s->event_slot].cause == cause;
    ensures number: s->event[s->event_slot].number == s->event_number;
    ensures link: s->event[s->event_slot].link_us == s->link_us;
    ensures told: s->diag_in == 0 && s->diag_event == 1; */
static void record_event(estop_state_t *s, uint32_t cause);

/*@ requires \valid(s);
    assigns STOP_FIELDS;
    ensures stopped: s->state == STATE_STOPPED;
    ensures range: 1 <= s->event_number <= COUNT16_MAX && s->event_slot < EVENTS && s->session <= COUNT16_MAX;
    ensures number: s->event[s->event_slot].cause == cause && s->event[s->event_slot].number == s->event_number;
    ensures another: \old(s->event_number) <= COUNT16_MAX ==> s->event_number != \old(s->event_number);
    ensures session: \old(s->session) <= COUNT16_MAX ==> s->session != \old(s->session);
    ensures forgotten: s->streak == 0 && s->host_command == 0 && s->host_rest == 0 && s->diag_in == 0; */
static void latch(estop_state_t *s, uint32_t cause);

/*@ requires \valid(s) && cause < 32;
    assigns STOP_FIELDS, s->locked;
    ensures stopped: s->state == STATE_STOPPED;
    ensures range: 1 <= s->event_number <= COUNT16_MAX && s->event_slot < EVENTS && s->session <= COUNT16_MAX;
    ensures number: s->event[s->event_slot].cause == cause && s->event[s->event_slot].number == s->event_number;
    ensures another: \old(s->event_number) <= COUNT16_MAX ==> s->event_number != \old(s->event_number);
    ensures session: \old(s->session) <= COUNT16_MAX ==> s->session != \old(s->session);
    ensures forgotten: s->streak == 0 && s->host_command == 0 && s->host_rest == 0 && s->diag_in == 0;
    ensures locks: \old(s->locked) == 0 ==> s->locked == (CAUSE_RAM <= cause <= CAUSE_RELAY_DEAD ? 1 : 0);
    ensures stays_1: \old(s->locked) == 1 ==> s->locked == 1;
    ensures stays: \old(s->locked) != 0 ==> s->locked != 0; */
static void stop_for(estop_state_t *s, uint32_t cause);

/*@ requires \valid(s);
    assigns s->started, s->now_us, s->cycle_max_us, s->closed_us, s->differ_us, s->key_us, s->relay_us, s->armed_us,
            s->answer_us, s->link_us, s->uptime_ms, s->uptime_rest_us;
    ensures late: \result <==> WAIT_US > CYCLE_US;
    ensures now: s->started == 1 && s->now_us == now_us;
    ensures closed: s->closed_us == grown_by(\old(s->closed_us), WAIT_US);
    ensures key: s->key_us == grown_by(\old(s->key_us), WAIT_US);
    ensures relay: s->relay_us == grown_by(\old(s->relay_us), WAIT_US);
    ensures answer: s->answer_us == grown_by(\old(s->answer_us), WAIT_US);
    ensures link: s->link_us == grown_by(\old(s->link_us), WAIT_US);
    ensures armed: s->armed_us == grown_by(\old(s->armed_us), WAIT_US);
    ensures rest: s->uptime_rest_us < US_PER_MS; */
static bool take_time(estop_state_t *s, uint32_t now_us);

/*@ requires \valid(s) && \valid_read(in) && \separated(s, in);
    assigns s->closed_us, s->differ_us, s->channel_fault;
    ensures closed: s->closed_us == (in->channel_a && in->channel_b ? \old(s->closed_us) : 0);
    ensures range: \old(s->channel_fault) <= 1 ==> s->channel_fault <= 1;
    ensures fault: in->channel_a != in->channel_b && \old(s->differ_us) > DISCREPANCY_US ==> s->channel_fault == 1;
    ensures ends: \old(s->channel_fault) == 1 && s->channel_fault != 1 ==> !in->channel_a && !in->channel_b; */
static void watch_channels(estop_state_t *s, const estop_inputs_t *in);

/*@ requires \valid(s) && \valid_read(in) && \separated(s, in);
    assigns s->key_down, s->key_us, s->key_event, s->key_ready, s->key_stuck;
    ensures turned: \result <==> (!in->key && \old(s->key_down) == 1 &&
      KEY_MIN_US <= \old(s->key_us) <= KEY_MAX_US && \old(s->key_event) == s->event_number);
    ensures released: !in->key ==> s->key_stuck == 0 && s->key_ready == 1 && s->key_down == 0; */
static bool key_turned(estop_state_t *s, const estop_inputs_t *in);

/*@ assigns \nothing;
    admit ensures function: \result == answer_of(unit, challenge, session, seq); */
uint32_t estop_answer(uint32_t unit, uint32_t challenge, uint32_t session, uint32_t seq);

/*@ requires \valid_read(s) && \valid_read(frame + (0 .. FRAME_BYTES - 1));
    assigns \nothing;
    ensures right: \result <==> right(s, frame); */
static bool right_answer(const estop_state_t *s, const uint8_t *frame);

/*@ requires \valid(s);
    assigns s->bad, s->streak;
    ensures range: s->streak == 0 && s->bad <= BAD_LIMIT;
    ensures one_more: \old(s->bad) == BAD_LIMIT - 1 || \old(s->bad) == BAD_LIMIT ==> s->bad == BAD_LIMIT; */
static void count_bad(estop_state_t *s);

/*@ requires \valid(s) && \valid_read(frame + (0 .. FRAME_BYTES - 1)) && \separated(s, frame + (0 .. FRAME_BYTES - 1));
    assigns s->seq, s->link_us, s->bad, s->streak, s->host_command, s->host_rest, s->accepted;
    ensures range: s->link_us == 0 && s->seq <= COUNT16_MAX && s->streak <= STREAK_MIN;
    ensures silence: \old(s->link_us) > LINK_US ==> s->streak == 1;
    ensures bad: \old(s->bad) <= BAD_LIMIT ==> s->bad <= BAD_LIMIT;
    ensures fields: s->host_command == frame[2] && s->host_rest == frame[3]; */
static void accept(estop_state_t *s, const uint8_t *frame);

/*@ requires \valid(s) && \valid_read(in) && \valid(news);
    requires \separated(s, in) && \separated(s, news) && \separated(news, in);
    assigns s->seq, s->link_us, s->bad, s->streak, s->host_command, s->host_rest, s->accepted, s->refused, s->damaged,
            s->random, s->challenge, s->answer_us, news->answered, news->host_stop;
    ensures stop: news->host_stop <==> (in->frame_ready && in->frame[2] == COMMAND_STOP);
    ensures command: news->answered ==>
      in->frame_ready && (in->frame[2] == COMMAND_STOP || in->frame[2] == COMMAND_RUN);
    ensures session: news->answered ==> word16(&in->frame[4]) == \old(s->session);
    ensures seq: news->answered ==> word16(&in->frame[6]) == next_seq(\old(s->seq));
    ensures age: news->answered ==> \old(s->answer_us) >= EARLY_US;
    ensures answer: news->answered ==> word32(&in->frame[8]) ==
      answer_of(\old(s->unit), \old(s->challenge), \old(s->session), next_seq(\old(s->seq)));
    ensures heard: news->answered ==>
      s->link_us == 0 && s->host_command == in->frame[2] && s->host_rest == in->frame[3];
    ensures unheard: !news->answered ==> s->link_us == \old(s->link_us) && s->seq == \old(s->seq) &&
      s->host_command == \old(s->host_command) && s->host_rest == \old(s->host_rest);
    ensures refused: in->frame_ready && !news->answered &&
      (\old(s->bad) == BAD_LIMIT - 1 || \old(s->bad) == BAD_LIMIT) ==> s->bad == BAD_LIMIT;
    ensures bad: \old(s->bad) <= BAD_LIMIT ==> s->bad <= BAD_LIMIT;
    ensures range: \old(s->seq) <= COUNT16_MAX ==> s->seq <= COUNT16_MAX;
    ensures streak: \old(s->streak) <= STREAK_MIN ==> s->streak <= STREAK_MIN; */
static void listen(estop_state_t *s, const estop_inputs_t *in, news_t *news);

#endif
