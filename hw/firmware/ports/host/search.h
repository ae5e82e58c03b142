/* Breadth-first search over all pictures that the core can reach, with every input in every one. */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "abstraction.h"
#include "driver.h"

#define SEARCH_FRAMES 16U
#define SEARCH_CHECKS 4U
#define SEARCH_CAPACITY 8000000U

/* What is tried in every picture: bit k = frame k of the table in search.c, bit k = estop_check_t k. Contacts, key and
 * mirror contacts are always tried in all 32 combinations. */
typedef struct {
    uint32_t frames;
    uint32_t checks;
    uint32_t late; /* 1: too late cycles, too */
} search_alphabet_t;

typedef enum {
    BROKEN_NOTHING = 0,
    BROKEN_DOMAIN = 1,    /* a word of the state has a value that it must never have */
    BROKEN_OUTPUT = 2,    /* a relay output on without RUN, both channels closed, sound memory, a cycle in time */
    BROKEN_LOCK = 3,      /* a locked board left STOPPED */
    BROKEN_RUN = 4,       /* RUN without ARMED and a right RUN of a guard at rest in the present session */
    BROKEN_ARMED = 5,     /* ARMED without release of the channels and a whole press of the key after the stop */
    BROKEN_EVENT = 6,     /* an event that did not stop, or did not begin a new session */
    BROKEN_SESSION = 7,   /* a new session without an event */
    BROKEN_STOP = 8,      /* ARMED or RUN went on in spite of a cause to stop */
    BROKEN_SELFTEST = 9,  /* SELFTEST left for anything but STOPPED, or came back */
    BROKEN_CAPACITY = 10, /* the table of pictures is full */
    BROKEN_HELD = 11      /* RUN or ARMED ended without a cause, or RUN without its outputs */
} broken_t;

typedef struct {
    uint64_t states;
    uint64_t edges;
    uint64_t time_edges;
    uint64_t by_state[IS_NONE];
    uint64_t moves[IS_NONE][IS_NONE]; /* edges from state to state */
    uint32_t broken;                  /* broken_t of the first edge that breaks a rule */
    uint32_t depth;                   /* edges from the start to it */
    uint32_t path[256];               /* symbols of the way there, the last ones first */
} search_result_t;

/* Searches; true if it went through everything and nothing broke. The pictures found stay until the next search. */
bool search_run(const search_alphabet_t *alphabet, search_result_t *result);

/* True if the last search reached this picture. */
bool search_has(uint32_t key);

/* Lets the driver run a script of `steps` lines and counts the steps whose picture the last search did not reach: none
 * shows that the pictures leave out nothing that really happens. */
uint32_t search_follow(driver_t *driver, const script_t *script, uint32_t steps, const estop_boot_t *boots);

#endif
