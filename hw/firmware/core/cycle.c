#include "cycle.h"

#include "port.h"

#define SAMPLED 0x01U
#define LISTENED 0x02U
#define STEPPED 0x04U
#define DRIVEN 0x08U
#define CHECKED 0x10U
#define ALL_STAGES (SAMPLED | LISTENED | STEPPED | DRIVEN | CHECKED)

/* Word `k` of the state, which consists of 32-bit words only. */
static uint32_t *word(estop_state_t *state, uint32_t k)
{
    /* cppcheck-suppress misra-c2012-11.5 ; the state is an array of 32-bit words by its definition, aligned as one */
    return &((uint32_t *)(void *)state)[k];
}

static void write_mirror(cycle_t *c)
{
    for (uint32_t k = 0U; k < STATE_WORDS; k++) {
        c->mirror[k] = ~*word(&c->state, k);
    }
}

static bool mirror_fits(cycle_t *c)
{
    uint32_t differing = 0U;
    for (uint32_t k = 0U; k < STATE_WORDS; k++) {
        differing |= c->mirror[k] ^ ~*word(&c->state, k);
    }
    return differing == 0U;
}

/* Received bytes up to the end of one heartbeat; the rest waits for the next cycle. */
static void take_bytes(cycle_t *c, estop_inputs_t *in, uint32_t now_us)
{
    uint8_t byte = 0U;
    uint32_t taken = 0U;
    port_received_t received = PORT_BYTE;
    while ((taken < CYCLE_BYTES_MAX) && (received != PORT_NOTHING) && !in->frame_ready) {
        received = port_receive(&byte);
        if (received == PORT_BYTE) {
            wire_result_t result = wire_push(&c->wire, c->state.unit, byte, in->frame);
            in->frame_ready = result == WIRE_FRAME;
            in->damaged = in->damaged || (result == WIRE_DAMAGED);
            c->byte_us = now_us;
        } else if (received == PORT_LINE_ERROR) {
            (void)wire_idle(&c->wire);
            in->damaged = true;
        } else {
            /* the line is empty */
        }
        taken++;
    }
    if ((now_us - c->byte_us) > GAP_US) {
        in->damaged = wire_idle(&c->wire) || in->damaged;
        c->byte_us = now_us;
    }
}

/* The result of all memory checks; once bad, it stays bad. */
static void check_memory(cycle_t *c)
{
    if ((c->check != CHECK_RAM) && (c->check != CHECK_PROGRAM)) {
        c->check = mirror_fits(c) ? selfcheck_program(&c->program, c->check) : CHECK_RAM;
    }
}

/* cppcheck-suppress misra-c2012-8.7 ; called by the ports */
void cycle_init(cycle_t *cycle, const estop_boot_t *boot, bool ram_sound)
{
    estop_init(&cycle->state, boot);
    write_mirror(cycle);
    cycle->wire.count = 0U;
    cycle->byte_us = port_now_us();
    cycle->check = ram_sound ? CHECK_RUNNING : CHECK_RAM;
    cycle->checkins = 0U;
}

/* cppcheck-suppress misra-c2012-8.7 ; called by the ports */
void cycle_run(cycle_t *cycle)
{
    static const estop_inputs_t nothing = {0};
    estop_inputs_t in = nothing;
    estop_outputs_t out;
    uint32_t now_us = port_now_us();
    port_sample(&in);
    cycle->checkins |= SAMPLED;
    take_bytes(cycle, &in, now_us);
    cycle->checkins |= LISTENED;
    check_memory(cycle);
    cycle->checkins |= CHECKED;
    in.check = cycle->check;
    estop_step(&cycle->state, &in, now_us, &out);
    write_mirror(cycle);
    cycle->checkins |= STEPPED;
    port_drive(&out);
    cycle->checkins |= DRIVEN;
    if (out.reply_ready) {
        port_send(out.reply);
    }
    if (out.diag_ready) {
        port_send(out.diag);
    }
    if (cycle->checkins == ALL_STAGES) {
        port_feed_watchdog();
    }
    cycle->checkins = 0U;
}
