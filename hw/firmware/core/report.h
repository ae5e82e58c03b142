/* What the board says of itself: the lamp, a status for every heartbeat, diagnostic pages. Decides nothing. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

#include "estop.h"

/* RUN steady; ARMED 5 Hz; STOPPED 1 Hz; locked two flashes every second; SELFTEST dark. */
bool report_lamp(const estop_state_t *s);

/* Fills the frames of `out`: a status if a heartbeat came, a page behind every DIAG_EVERY-th one and after a stop. */
void report_speak(estop_state_t *s, const estop_inputs_t *in, estop_outputs_t *out);

#endif
