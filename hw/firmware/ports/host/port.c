/* The board of the tests: contacts, line and clock are plain variables that the test sets and reads. */
#include "port.h"

#include <string.h>

#include "cycle.h"

#define QUEUE_BYTES 4096U

typedef struct {
    uint32_t now_us;
    uint32_t step_us; /* the clock advances by this much at every look */
    estop_inputs_t contacts;
    uint8_t received[QUEUE_BYTES];
    uint32_t received_count;
    uint32_t received_at;
    uint32_t line_errors;
    uint8_t sent[QUEUE_BYTES];
    uint32_t sent_count;
    estop_outputs_t driven;
    uint32_t fed;
} board_t;

extern board_t board;
extern const uint32_t estop_state_bytes;
extern const uint32_t cycle_bytes;

board_t board;
const uint32_t estop_state_bytes = (uint32_t)sizeof(estop_state_t);
const uint32_t cycle_bytes = (uint32_t)sizeof(cycle_t);

uint32_t port_now_us(void)
{
    board.now_us += board.step_us;
    return board.now_us;
}

void port_sample(estop_inputs_t *in)
{
    in->channel_a = board.contacts.channel_a;
    in->channel_b = board.contacts.channel_b;
    in->key = board.contacts.key;
    in->released_1 = board.contacts.released_1;
    in->released_2 = board.contacts.released_2;
}

port_received_t port_receive(uint8_t *byte)
{
    port_received_t result = PORT_NOTHING;
    if (board.line_errors > 0U) {
        board.line_errors--;
        result = PORT_LINE_ERROR;
    } else if (board.received_at < board.received_count) {
        *byte = board.received[board.received_at];
        board.received_at++;
        result = PORT_BYTE;
    } else {
        /* silent */
    }
    return result;
}

void port_send(const uint8_t frame[FRAME_BYTES])
{
    if ((board.sent_count + FRAME_BYTES) <= QUEUE_BYTES) {
        (void)memcpy(&board.sent[board.sent_count], frame, FRAME_BYTES);
        board.sent_count += FRAME_BYTES;
    }
}

void port_drive(const estop_outputs_t *out)
{
    board.driven = *out;
}

void port_feed_watchdog(void)
{
    board.fed++;
}
