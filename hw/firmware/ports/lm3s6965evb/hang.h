/* TEST BUILD ONLY (-DTEST_HANG): ways to hang, on command of the bench. No image that is meant for use has this. */
#ifndef HANG_H
#define HANG_H

#include "cycle.h"

#define HANG_MAGIC 0xDEAD0000U /* plus one of the following */
#define HANG_LOOP 1U
#define HANG_UNDEFINED 2U
#define HANG_STACK 3U
#define HANG_JUMP 4U
#define HANG_CHECKIN 5U
#define HANG_RAM_CODE 6U

/* The word that the bench writes; what it holds stays in force until the reset. */
extern volatile uint32_t hang_request;

void hang_if_asked(cycle_t *cycle);

#endif
