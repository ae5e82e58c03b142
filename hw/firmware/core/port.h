/* What a board must give. Nothing here may wait. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "estop.h"

typedef enum {
    PORT_NOTHING = 0,
    PORT_BYTE = 1,
    PORT_LINE_ERROR = 2 /* framing, parity, overrun or noise: the byte is not used */
} port_received_t;

/* Free-running microseconds; wraps at 2^32. Not a count of interrupts: those merge under load and lose time. */
uint32_t port_now_us(void);

/* Fills the five contacts. A broken wire must read 0. */
void port_sample(estop_inputs_t *in);

port_received_t port_receive(uint8_t *byte);

/* Queues one frame; drops it if the queue is full. */
void port_send(const uint8_t frame[FRAME_BYTES]);

void port_drive(const estop_outputs_t *out);

/* Feeds the independent watchdog. Called from one place only: the end of a cycle in which every stage checked in. */
void port_feed_watchdog(void);

#endif
