/* Whatever comes over the line, from the contacts, the clock and the memory checks, for ever: no run-time error in
 * estop.c and wire.c. Frama-C's value analysis walks this loop to its fixed point. */
#include "__fc_builtin.h"
#include "estop.h"
#include "wire.h"

static uint32_t any(void)
{
    return (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
}

static bool flip(void)
{
    return Frama_C_interval(0, 1) != 0;
}

static uint8_t octet(void)
{
    return (uint8_t)Frama_C_unsigned_int_interval(0U, 0xFFU);
}

/* Every value of every field; in half of the cycles the frame is any sixteen bytes, not one that wire_push took. */
static void invent(estop_inputs_t *in)
{
    in->channel_a = flip();
    in->channel_b = flip();
    in->key = flip();
    in->released_1 = flip();
    in->released_2 = flip();
    in->damaged = flip();
    if (flip()) {
        in->frame_ready = flip();
        for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
            in->frame[k] = octet();
        }
    }
    in->check = (estop_check_t)Frama_C_unsigned_int_interval(CHECK_RUNNING, CHECK_PROGRAM);
}

int main(void)
{
    static estop_state_t state;
    static wire_t wire;
    estop_boot_t boot = {any(), any(), any(), any(), any(), CAUSE_RAM + (any() % CAUSE_RESTART)};
    estop_init(&state, &boot);
    /*@ loop widen_hints "all", 15, 16; */
    while (flip()) {
        estop_inputs_t in = {0};
        estop_outputs_t out;
        in.frame_ready = wire_push(&wire, state.unit, octet(), in.frame) == WIRE_FRAME;
        invent(&in);
        if (flip()) {
            (void)wire_idle(&wire);
        }
        estop_step(&state, &in, any(), &out);
    }
    return 0;
}
