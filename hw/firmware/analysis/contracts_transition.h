/* The second half of what estop.c promises: conditions, transitions, relays and the whole step. */
#ifndef CONTRACTS_TRANSITION_H
#define CONTRACTS_TRANSITION_H

#define CLEAR(cause) (\result & (1 << (cause))) == 0

/*@ requires \valid_read(s) && \valid_read(in) && \valid_read(news);
    assigns \nothing;
    ensures ram: CLEAR(CAUSE_RAM) <==> in->check != CHECK_RAM;
    ensures program: CLEAR(CAUSE_PROGRAM) <==> in->check == CHECK_PASSED || in->check == CHECK_RAM;
    ensures stuck: CLEAR(CAUSE_RELAY_STUCK) <==>
      (s->relay_on == 0 && s->relay_us > FEEDBACK_US ==> in->released_1 && in->released_2);
    ensures dead: CLEAR(CAUSE_RELAY_DEAD) <==>
      (s->relay_on == 1 && s->relay_us > FEEDBACK_US ==> !in->released_1 && !in->released_2);
    ensures channel: CLEAR(CAUSE_CHANNEL) <==> (in->channel_a && in->channel_b);
    ensures discrepancy: s->channel_fault <= 1 ==> (CLEAR(CAUSE_DISCREPANCY) <==> s->channel_fault == 0);
    ensures cycle: CLEAR(CAUSE_CYCLE) ==> !news->late;
    ensures bad: CLEAR(CAUSE_HOST_BAD) ==> s->bad < BAD_LIMIT;
    ensures silent: CLEAR(CAUSE_HOST_SILENT) ==> s->link_us <= LINK_US;
    ensures stop: CLEAR(CAUSE_HOST_STOP) ==> !(news->host_stop && s->state == STATE_RUN);
    ensures expired: CLEAR(CAUSE_EXPIRED) ==> !(s->state == STATE_ARMED && s->armed_us > ARMED_US); */
static uint32_t conditions(const estop_state_t *s, const estop_inputs_t *in, const news_t *news);

/*@ assigns \nothing;
    ensures range: 0 <= \result <= CAUSE_EXPIRED;
    ensures set: \result != CAUSE_NONE ==> (bits & (1 << \result)) != 0;
    ensures first: \forall integer k; 1 <= k <= CAUSE_EXPIRED && (\result == CAUSE_NONE || k < \result) ==>
      (bits & (1 << k)) == 0; */
static uint32_t first_cause(uint32_t bits);

/*@ requires \valid_read(s) && \valid_read(in);
    assigns \nothing;
    ensures none: \result == 0 <==> s->locked == 0 && in->channel_a && in->channel_b && s->closed_us >= RELEASE_US &&
      s->channel_fault == 0 && in->released_1 && in->released_2 && s->streak >= STREAK_MIN &&
      s->link_us <= LINK_US && s->host_command == COMMAND_STOP && s->host_rest == REST_YES && s->key_stuck == 0 &&
      s->key_ready == 1; */
uint32_t estop_blockers(const estop_state_t *s, const estop_inputs_t *in);

/*@ requires \valid_read(s) && \valid_read(news);
    assigns \nothing;
    ensures range: 0 <= \result <= CAUSE_EXPIRED; */
static uint32_t fresh_cause(const estop_state_t *s, uint32_t bits, const news_t *news);

/*@ requires \valid(s) && \valid_read(in) && \valid_read(news);
    requires \separated(s, in) && \separated(s, news);
    requires s->boot_cause < 32;
    assigns STOP_FIELDS, s->locked, s->armed_us;
    ensures states: ANY_STATE(s->state);
    ensures selftest: s->state == STATE_SELFTEST ==>
      \old(s->state) == STATE_SELFTEST && \old(in->check) == CHECK_RUNNING;
    ensures run_checked: s->state == STATE_RUN ==> \old(in->check) == CHECK_PASSED;
    ensures run_closed: s->state == STATE_RUN ==> \old(in->channel_a) && \old(in->channel_b);
    ensures run_released: s->state == STATE_RUN ==> \old(s->relay_us) > FEEDBACK_US && \old(s->relay_on) == 0 ==>
      \old(in->released_1) && \old(in->released_2);
    ensures run_pulled: s->state == STATE_RUN ==> \old(s->relay_us) > FEEDBACK_US && \old(s->relay_on) == 1 ==>
      !\old(in->released_1) && !\old(in->released_2);
    ensures run_punctual: s->state == STATE_RUN ==> !\old(news->late);
    ensures run_linked: s->state == STATE_RUN ==> \old(s->bad) < BAD_LIMIT && \old(s->link_us) <= LINK_US;
    ensures run_fault: s->state == STATE_RUN ==> \old(s->channel_fault) <= 1 ==> \old(s->channel_fault) == 0;
    ensures run_allowed: s->state == STATE_RUN && \old(s->state) == STATE_RUN ==> !\old(news->host_stop);
    ensures run_from: s->state == STATE_RUN ==> \old(s->state) == STATE_RUN ||
      (\old(s->state) == STATE_ARMED && \old(news->answered) && \old(s->host_command) == COMMAND_RUN &&
       \old(s->host_rest) == REST_YES);
    ensures armed_from: s->state == STATE_ARMED ==> \old(s->state) == STATE_ARMED ||
      (\old(s->state) == STATE_STOPPED && \old(news->turned) && s->locked == 0 && \old(in->channel_a) &&
       \old(in->channel_b) && s->closed_us >= RELEASE_US && s->channel_fault == 0 && \old(in->released_1) &&
       \old(in->released_2) && s->streak >= STREAK_MIN && s->link_us <= LINK_US && s->host_command == COMMAND_STOP &&
       s->host_rest == REST_YES && s->key_stuck == 0 && s->key_ready == 1);
    ensures locked_stays: \old(s->locked) != 0 ==> s->locked != 0;
    ensures locked_same: s->state == STATE_RUN || s->state == STATE_ARMED ==> s->locked == \old(s->locked);
    ensures locked_range: \old(s->locked) <= 1 ==> s->locked <= 1;
    ensures another: STOPS && \old(s->event_number) <= COUNT16_MAX ==> s->event_number != \old(s->event_number);
    ensures event: STOPS ==> s->event_slot < EVENTS && s->event[s->event_slot].number == s->event_number;
    ensures session: STOPS && \old(s->session) <= COUNT16_MAX ==> s->session != \old(s->session);
    ensures range_session: \old(s->session) <= COUNT16_MAX ==> s->session <= COUNT16_MAX;
    ensures range_number: \old(s->event_number) <= COUNT16_MAX ==> s->event_number <= COUNT16_MAX;
    ensures range_slot: \old(s->event_slot) < EVENTS ==> s->event_slot < EVENTS;
    ensures range_streak: \old(s->streak) <= STREAK_MIN ==> s->streak <= STREAK_MIN;
    ensures range_diag: \old(s->diag_in) < DIAG_EVERY ==> s->diag_in < DIAG_EVERY; */
static void advance(estop_state_t *s, const estop_inputs_t *in, const news_t *news);

/*@ requires \valid(s) && \valid(out) && \separated(s, out);
    assigns s->relay_on, s->relay_us, s->pulse, out->relay_1, out->relay_2;
    ensures on: s->relay_on == (s->state == STATE_RUN ? 1 : 0);
    ensures relay_1: out->relay_1 <==> s->state == STATE_RUN;
    ensures relay_2: out->relay_2 ==> s->state == STATE_RUN;
    ensures range: \old(s->pulse) <= 1 ==> s->pulse <= 1;
    ensures pulses: \old(s->pulse) <= 1 && s->state == STATE_RUN ==> (out->relay_2 <==> \old(s->pulse) == 0);
    ensures held: (out->relay_2 <==> s->pulse == 1);
    ensures age: s->relay_us == (\old(s->relay_on) == s->relay_on ? \old(s->relay_us) : 0); */
static void drive_relays(estop_state_t *s, estop_outputs_t *out);

/* That the state is sound behind it is proved by values, eva_core.c. */
/*@ requires \valid(s) && \valid_read(boot) && \separated(s, boot);
    assigns *s;
    ensures state: s->state == STATE_SELFTEST;
    ensures session: s->session <= COUNT16_MAX; */
void estop_init(estop_state_t *s, const estop_boot_t *boot);

/*@ requires \valid(s) && \valid_read(in) && \valid(out);
    requires \separated(s, in) && \separated(s, out) && \separated(in, out);
    requires apart: \base_addr(s) != \base_addr(in) && \base_addr(s) != \base_addr(out) &&
      \base_addr(in) != \base_addr(out);
    requires s->boot_cause < 32;
    assigns *s, *out;

    // The relays are open unless all of this holds, in this very cycle.
    ensures open_unless_run: POWERED ==> s->state == STATE_RUN;
    ensures open_unless_closed: POWERED ==> \old(in->channel_a) && \old(in->channel_b);
    ensures open_unless_checked: POWERED ==> \old(in->check) == CHECK_PASSED;
    ensures open_unless_linked: POWERED ==> s->link_us <= LINK_US;
    ensures open_unless_good: POWERED ==> s->bad < BAD_LIMIT;
    ensures open_unless_punctual: POWERED ==> WAIT_US <= CYCLE_US;
    ensures open_unless_released: POWERED ==> grown_by(\old(s->relay_us), WAIT_US) > FEEDBACK_US ==>
      \old(s->relay_on) == 0 ==> \old(in->released_1) && \old(in->released_2);
    ensures open_unless_pulled: POWERED ==> grown_by(\old(s->relay_us), WAIT_US) > FEEDBACK_US ==>
      \old(s->relay_on) == 1 ==> !\old(in->released_1) && !\old(in->released_2);
    ensures open_if_asked: POWERED ==> !(\old(in->frame_ready) && \old(in->frame[2]) == COMMAND_STOP);
    ensures open_if_fault: POWERED ==> \old(s->channel_fault) <= 1 ==> s->channel_fault == 0;
    ensures open_if_locked: \old(sound(s)) && s->locked != 0 ==> !POWERED;
    ensures locked_stays: \old(s->locked) != 0 ==> s->locked != 0;
    ensures pulses: \old(sound(s)) && s->state == STATE_RUN ==> (out->relay_2 <==> \old(s->pulse) == 0);

    // RUN begins only in ARMED, with a right RUN answer that came in this cycle.
    ensures run_from: BEGINS ==> \old(s->state) == STATE_ARMED;
    ensures run_frame: BEGINS ==>
      \old(in->frame_ready) && \old(in->frame[2]) == COMMAND_RUN && \old(in->frame[3]) == REST_YES;
    ensures run_session: BEGINS ==> \old(word16(&in->frame[4])) == \old(s->session);
    ensures run_seq: BEGINS ==> \old(word16(&in->frame[6])) == next_seq(\old(s->seq));
    ensures run_age: BEGINS ==> grown_by(\old(s->answer_us), WAIT_US) >= EARLY_US;
    ensures run_answer: BEGINS ==> \old(word32(&in->frame[8])) ==
      answer_of(\old(s->unit), \old(s->challenge), \old(s->session), next_seq(\old(s->seq)));

    // ARMED begins only in STOPPED, when the key comes up again and nothing blocks.
    ensures armed_from: s->state == STATE_ARMED ==> \old(s->state) == STATE_ARMED ||
      (\old(s->state) == STATE_STOPPED && !\old(in->key) && \old(s->key_down) == 1 &&
       \old(s->key_event) == \old(s->event_number) &&
       KEY_MIN_US <= grown_by(\old(s->key_us), WAIT_US) <= KEY_MAX_US && s->locked == 0 &&
       \old(in->channel_a) && \old(in->channel_b) && s->closed_us >= RELEASE_US && s->channel_fault == 0 &&
       \old(in->released_1) && \old(in->released_2) && s->streak >= STREAK_MIN && s->link_us <= LINK_US &&
       s->host_command == COMMAND_STOP && s->host_rest == REST_YES);
    ensures selftest: s->state == STATE_SELFTEST ==>
      \old(s->state) == STATE_SELFTEST && \old(in->check) == CHECK_RUNNING;
    ensures states: ANY_STATE(s->state);

    // Every stop is an event with a number of its own and begins a session of its own.
    ensures another: STOPS && \old(s->event_number) <= COUNT16_MAX ==> s->event_number != \old(s->event_number);
    ensures event: STOPS ==> s->event[s->event_slot].number == s->event_number;
    ensures session: STOPS && \old(s->session) <= COUNT16_MAX ==> s->session != \old(s->session);

    // Every heartbeat is answered.
    ensures replies: out->reply_ready <==> \old(in->frame_ready);

    // A sound state stays sound: the conjuncts of the predicate, one by one.
    ensures sound_locked: \old(sound(s)) ==> s->state == STATE_ARMED || s->state == STATE_RUN ==> s->locked == 0;
    ensures sound_relay: \old(sound(s)) ==> s->relay_on == (s->state == STATE_RUN ? 1 : 0);
    ensures sound_flags: \old(sound(s)) ==> s->locked <= 1 && s->channel_fault <= 1 && s->pulse <= 1;
    ensures sound_boot: \old(sound(s)) ==> CAUSE_RAM <= s->boot_cause <= CAUSE_RESTART;
    ensures sound_link: \old(sound(s)) ==> s->bad <= BAD_LIMIT && s->streak <= STREAK_MIN;
    ensures sound_session: \old(sound(s)) ==> s->session <= COUNT16_MAX && s->seq <= COUNT16_MAX;
    ensures sound_event: \old(sound(s)) ==> s->event_slot < EVENTS && s->event_number <= COUNT16_MAX;
    ensures sound_time: \old(sound(s)) ==> s->uptime_rest_us < US_PER_MS;
    ensures sound_diag: \old(sound(s)) ==> known_page(s->diag_page) && s->diag_in < DIAG_EVERY; */
void estop_step(estop_state_t *s, const estop_inputs_t *in, uint32_t now_us, estop_outputs_t *out);

#endif
