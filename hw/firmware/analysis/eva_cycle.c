/* The whole firmware core, cycle.c and selfcheck.c included, over a board that gives anything at any time: no run-time
 * error. The image is two slices long here; proof_selfcheck.c covers every length. */
#include "__fc_builtin.h"
#include "cycle.h"
#include "port.h"

#define IMAGE_BYTES (2U * PROGRAM_SLICE)
#define RAM_WORDS 32U

static bool flip(void)
{
    return Frama_C_interval(0, 1) != 0;
}

uint32_t port_now_us(void)
{
    return (uint32_t)Frama_C_unsigned_int_interval(0U, 0xFFFFFFFFU);
}

void port_sample(estop_inputs_t *in)
{
    in->channel_a = flip();
    in->channel_b = flip();
    in->key = flip();
    in->released_1 = flip();
    in->released_2 = flip();
}

port_received_t port_receive(uint8_t *byte)
{
    *byte = (uint8_t)Frama_C_unsigned_int_interval(0U, 0xFFU);
    return (port_received_t)Frama_C_unsigned_int_interval(PORT_NOTHING, PORT_LINE_ERROR);
}

void port_send(const uint8_t frame[FRAME_BYTES])
{
    for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
        /*@ assert \initialized(&frame[k]); */
    }
}

void port_drive(const estop_outputs_t *out)
{
    /*@ assert \initialized(&out->relay_1) && \initialized(&out->relay_2) && \initialized(&out->led); */
}

void port_feed_watchdog(void)
{
}

int main(void)
{
    static uint8_t image[IMAGE_BYTES];
    static uint32_t ram[RAM_WORDS];
    static cycle_t cycle;
    estop_boot_t boot = {port_now_us(), port_now_us(), port_now_us(), port_now_us(), port_now_us(),
                         CAUSE_RAM + (port_now_us() % CAUSE_RESTART)};
    for (uint32_t k = 0U; k < IMAGE_BYTES; k++) {
        image[k] = (uint8_t)Frama_C_unsigned_int_interval(0U, 0xFFU);
    }
    bool sound = selfcheck_ram(ram, RAM_WORDS);
    selfcheck_init(&cycle.program, image, IMAGE_BYTES, port_now_us());
    cycle_init(&cycle, &boot, sound);
    /*@ loop widen_hints "all", 15, 16, 64, 128; */
    while (flip()) {
        cycle_run(&cycle);
    }
    return 0;
}
