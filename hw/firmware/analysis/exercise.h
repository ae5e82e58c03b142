/* A random life for the core: contacts, keys, hosts, clocks and memory that mostly behave and now and then do not.
 * Shared by the coverage driver and the sanitizer run; seeded, so that every run is the same. */
#ifndef EXERCISE_H
#define EXERCISE_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"

typedef struct {
    estop_state_t state;
    uint32_t now_us;
    uint32_t open_a; /* steps for which each of these things still lasts */
    uint32_t open_b;
    uint32_t open_both;
    uint32_t key;
    uint32_t weld_1;
    uint32_t weld_2;
    uint32_t silent;
    uint32_t steps;
    uint32_t runs; /* steps that ended in RUN */
} world_t;

void exercise_seed(uint64_t seed);

/* 0 to `below` - 1. */
uint32_t chance(uint32_t below);

/* The heartbeat that answers the present challenge, sealed. */
void right_frame(const estop_state_t *s, uint8_t command, uint8_t rest, uint8_t frame[FRAME_BYTES]);

void exercise_begin(world_t *w);

/* One step; false if the relays were on although they must not. */
bool exercise_step(world_t *w);

#endif
