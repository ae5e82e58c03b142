/* A finite picture of the state of the core, for the exhaustive search. No part of the firmware.
 *
 * Ages are known by class only: on which side of every limit they are. Time may carry any age into its next class at
 * any moment and independently of the others, so the picture allows more than the real clock does and never less.
 * The streak is known as "long enough" or not; a right answer to a short one may or may not complete it. Everything
 * else that a decision reads is exact. Not in the picture, because no decision reads it: counters and pages of the
 * diagnosis, the ring of events, uptime, and the values of session, sequence number and challenge (frames are made
 * right or wrong with respect to them).
 *
 * Beside it stand ghosts: what the search itself saw of key and channels, independent of what the core remembers.
 */
#ifndef ABSTRACTION_H
#define ABSTRACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"

typedef enum { AGE_CLOSED, AGE_DIFFER, AGE_KEY, AGE_RELAY, AGE_ARMED, AGE_ANSWER, AGE_LINK, AGES } age_t;

#define CLASSES_MAX 4U
#define KEY_CLASS_RIGHT 1U /* a press of the right length */

typedef struct {
    uint8_t state; /* index into states below */
    uint8_t locked;
    uint8_t channel_fault;
    uint8_t key_down;
    uint8_t key_present; /* the press was made for the present event */
    uint8_t key_ready;
    uint8_t key_stuck;
    uint8_t relay_on;
    uint8_t pulse;
    uint8_t streak; /* 1: long enough */
    uint8_t bad;
    uint8_t command; /* 0 none, 1 STOP, 2 RUN */
    uint8_t rest;    /* 0 none, 1 yes, 2 no */
    uint8_t age[AGES];
    uint8_t first;        /* no event has ever happened: its number is 0, as is the mark of a press for no event */
    uint8_t ghost_down;   /* the key was pressed in the last sample */
    uint8_t ghost_up;     /* the key was seen released since the start */
    uint8_t ghost_press;  /* the press under way began after the latest event, after a released key */
    uint8_t ghost_key;    /* class of the length of that press */
    uint8_t ghost_closed; /* class of the time since a sample with an open channel */
} picture_t;

typedef enum { IS_SELFTEST, IS_STOPPED, IS_ARMED, IS_RUN, IS_NONE } is_t;

#define PICTURE_SESSION 0x1234U
#define PICTURE_SEQ 0x0056U
#define PICTURE_CHALLENGE 0x0BADC0DEU
#define PICTURE_EVENT 5U

/* Number of the latest event in a state that has this picture. */
uint32_t picture_event(const picture_t *picture);

uint32_t age_classes(age_t age);

/* Class of `us`. */
uint32_t age_class(age_t age, uint32_t us);

/* False if a word of the state has a value that it must never have. */
bool picture_of(const estop_state_t *s, picture_t *picture);

/* A state that has this picture and whose ages will have grown by `dt_us` at the next step; `ends` chooses for every
 * age the lowest or the highest value of its class, `streak` the length of a streak that is not long enough. False if
 * no age of a class can have grown by that much. */
bool picture_state(const picture_t *picture, uint32_t dt_us, uint32_t ends, uint32_t streak, estop_state_t *s);

/* What the ghosts see of one step. */
void picture_ghosts(const picture_t *before, const estop_inputs_t *in, bool event, picture_t *after);

uint32_t picture_pack(const picture_t *picture);
void picture_unpack(uint32_t key, picture_t *picture);

#endif
