/* Runs the core many thousand steps at a time from a script, for tests and campaigns. No part of the firmware. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"

/* What stands on the line in one step. Everything but RIGHT and NONE must be refused. */
typedef enum {
    HOST_NONE = 0,
    HOST_RIGHT = 1,
    HOST_SEQ_SAME = 2,     /* the sequence number of the last right answer again */
    HOST_SEQ_AHEAD = 3,    /* a sequence number too far */
    HOST_SESSION = 4,      /* another session */
    HOST_ANSWER_BIT = 5,   /* one bit of the answer turned */
    HOST_CHALLENGE = 6,    /* the answer to the challenge before */
    HOST_REPEATED = 7,     /* the last frame once more, byte by byte */
    HOST_COMMAND = 8,      /* a command that is none */
    HOST_REST = 9,         /* a word for rest that is none */
    HOST_NOISE = 10,       /* any sixteen bytes */
    HOST_UNIT = 11,        /* an answer sealed for another unit */
    HOST_KINDS = 12
} host_t;

#define SCRIPT_A 0x01U
#define SCRIPT_B 0x02U
#define SCRIPT_KEY 0x04U
#define SCRIPT_MIRROR_1 0x08U /* turns what the mirror contact of relay 1 would show */
#define SCRIPT_MIRROR_2 0x10U
#define SCRIPT_DAMAGED 0x20U
#define SCRIPT_BOOT 0x40U /* starts anew before this step, with the next entry of the list of boots */

typedef struct {
    uint32_t dt_us;
    uint32_t random; /* what is wrong in a wrong frame */
    uint8_t flags;   /* SCRIPT_... */
    uint8_t host;    /* host_t */
    uint8_t command;
    uint8_t rest;
    uint32_t check; /* estop_check_t, or anything */
} script_t;

#define TRACE_READY 0x40U
#define TRACE_RELAY_1 0x01U
#define TRACE_RELAY_2 0x02U
#define TRACE_LED 0x04U
#define TRACE_REPLY 0x08U
#define TRACE_DIAG 0x10U
#define TRACE_BEYOND 0x20U /* the step wrote behind its outputs */

/* What went in and what came out of one step. */
typedef struct {
    uint32_t now_us;
    uint32_t check;
    uint32_t cause; /* of the latest event */
    uint32_t number;
    uint8_t seen; /* bits 0 to 4 the contacts, SCRIPT_DAMAGED, TRACE_READY */
    uint8_t out;  /* TRACE_... */
    uint8_t state;
    uint8_t locked;
    uint32_t blockers;
    uint8_t frame[FRAME_BYTES];
    uint8_t reply[FRAME_BYTES];
    uint8_t diag[FRAME_BYTES];
} trace_t;

/* One board and its host. */
typedef struct {
    estop_state_t state;
    uint32_t now_us;
    uint32_t challenge_before;
    uint8_t frame[FRAME_BYTES]; /* the last one sent */
} driver_t;

/* The inputs that line `script` makes of the present state. */
void driver_inputs(driver_t *driver, const script_t *script, estop_inputs_t *in);

/* Runs `count` lines; returns how many boots were used. `trace` may be null. */
uint32_t driver_run(driver_t *driver, const script_t *script, uint32_t count, const estop_boot_t *boots, trace_t *trace);

#endif
