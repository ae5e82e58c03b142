/* Drives every decision of the core both ways and every condition by itself: a random life of the step, then the
 * decoder, the memory checks and the whole cycle on the test board. Prints what it did; ends with 1 if something was
 * not as it must be. `mcdc.py` counts what it drives, `sanitizers.py` watches it. An argument sets the steps of the
 * life. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exercise.h"

/* The test board, as it is in the shared library. */
#include "../ports/host/port.c"

#define WORDS 8U
#define IMAGE_BYTES 200U

/* selfcheck.c is built with a call before every load (-fsanitize-coverage=trace-loads): here a bit is stuck. */
static uint32_t ram[WORDS];
static uint32_t stuck_bits;
static uint32_t stuck_value;

void __sanitizer_cov_load1(const uint8_t *at);
void __sanitizer_cov_load2(const uint16_t *at);
void __sanitizer_cov_load4(const uint32_t *at);
void __sanitizer_cov_load8(const uint64_t *at);
void __sanitizer_cov_load16(const void *at);

void __sanitizer_cov_load1(const uint8_t *at)
{
    (void)at;
}

void __sanitizer_cov_load2(const uint16_t *at)
{
    (void)at;
}

void __sanitizer_cov_load4(const uint32_t *at)
{
    if (at == &ram[WORDS / 2U]) {
        ram[WORDS / 2U] = (ram[WORDS / 2U] & ~stuck_bits) | (stuck_bits & stuck_value);
    }
}

void __sanitizer_cov_load8(const uint64_t *at)
{
    (void)at;
}

void __sanitizer_cov_load16(const void *at)
{
    (void)at;
}

static bool failed;

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)printf("wrong: %s\n", what);
        failed = true;
    }
}

static void live(uint32_t steps)
{
    static world_t world;
    exercise_begin(&world);
    for (uint32_t k = 0U; k < steps; k++) {
        must(exercise_step(&world), "relays on");
    }
    must(world.runs > (steps / 20U), "hardly ever in RUN");
    (void)printf("steps=%u runs=%u\n", world.steps, world.runs);
}

/* The clock stands for minutes while nothing is well: ages stop at their end, the key is stuck. */
static void age(void)
{
    static world_t world;
    estop_inputs_t in = {0};
    estop_outputs_t out;
    exercise_begin(&world);
    in.key = true;
    for (uint32_t k = 0U; k < 6U; k++) {
        world.now_us += 0xC0000000U;
        estop_step(&world.state, &in, world.now_us, &out);
    }
    must(world.state.closed_us == 0U, "closed");
    must(world.state.relay_us == 0xFFFFFFFFU, "age wraps");
    must(world.state.key_stuck == 1U, "key not stuck");
}

/* All is well, but nobody uses the reset in time. */
static void expire(void)
{
    static world_t world;
    estop_inputs_t in = {.channel_a = true, .channel_b = true, .released_1 = true, .released_2 = true,
                         .check = CHECK_PASSED};
    estop_outputs_t out;
    exercise_begin(&world);
    world.state.state = STATE_ARMED;
    world.state.link_us = 0U;
    world.state.armed_us = ARMED_US + 1U;
    estop_step(&world.state, &in, world.now_us, &out);
    must(world.state.event[world.state.event_slot].cause == CAUSE_EXPIRED, "does not expire");
}

static void memory_checks(void)
{
    for (uint32_t k = 0U; k < 3U; k++) {
        stuck_bits = (k == 0U) ? 0U : 1U;
        stuck_value = (k == 1U) ? 1U : 0U;
        must(selfcheck_ram(ram, WORDS) == (k == 0U), "march");
    }
    uint8_t image[IMAGE_BYTES];
    selfcheck_t check;
    for (uint32_t k = 0U; k < IMAGE_BYTES; k++) {
        image[k] = (uint8_t)k;
    }
    uint32_t right = wire_crc_begin();
    for (uint32_t k = 0U; k < IMAGE_BYTES; k++) {
        right = wire_crc_byte(right, image[k]);
    }
    selfcheck_init(&check, image, IMAGE_BYTES, wire_crc_end(right));
    estop_check_t result = CHECK_RUNNING;
    for (uint32_t k = 0U; k < 9U; k++) {
        result = selfcheck_program(&check, result);
    }
    must(result == CHECK_PASSED, "good image");
    image[77] ^= 1U;
    for (uint32_t k = 0U; k < 9U; k++) {
        result = selfcheck_program(&check, result);
    }
    must(result == CHECK_PROGRAM, "bad image");
}

/* ------------------------------------------------------------------ the cycle */

static cycle_t cycle;
static const uint8_t empty_image[1] = {0};

static void put_line(const uint8_t *bytes, uint32_t count)
{
    (void)memcpy(board.received, bytes, count);
    board.received_count = count;
    board.received_at = 0U;
}

static void start(bool ram_sound)
{
    static const estop_boot_t boot = {1U, 2U, 3U, 4U, 5U, CAUSE_POWER_UP};
    (void)memset(&board, 0, sizeof(board));
    (void)memset(&cycle, 0, sizeof(cycle));
    board.step_us = 1000U;
    board.contacts.channel_a = true;
    board.contacts.channel_b = true;
    board.contacts.released_1 = true;
    board.contacts.released_2 = true;
    selfcheck_init(&cycle.program, empty_image, 0U, wire_crc_end(wire_crc_begin()));
    cycle_init(&cycle, &boot, ram_sound);
}

/* A line of the random kind: frames whole, cut, doubled, turned, with noise around them. */
static void babble(void)
{
    uint8_t bytes[64];
    uint32_t count = chance(64U);
    for (uint32_t k = 0U; k < count; k++) {
        bytes[k] = (uint8_t)((chance(3U) == 0U) ? SYNC_HOST : chance(256U));
    }
    if (chance(4U) != 0U) {
        right_frame(&cycle.state, COMMAND_STOP, REST_YES, bytes);
        bytes[1] = (uint8_t)((chance(20U) == 0U) ? TYPE_STATUS : TYPE_HEARTBEAT);
        count = (chance(8U) == 0U) ? chance(FRAME_BYTES) : (FRAME_BYTES + chance(40U));
    }
    put_line(bytes, (chance(3U) == 0U) ? 0U : count);
    board.line_errors = (chance(12U) == 0U) ? 1U : 0U;
    board.step_us = (chance(9U) == 0U) ? (GAP_US + 5000U) : (1000U + chance(3000U));
}

static void run_cycles(uint32_t count)
{
    start(true);
    for (uint32_t k = 0U; k < count; k++) {
        babble();
        cycle_run(&cycle);
        board.sent_count = 0U;
    }
    must(cycle.state.accepted > (count / 10U), "hardly any answer accepted");
    must(board.fed == count, "watchdog not fed");
    (void)printf("cycles=%u accepted=%u damaged=%u\n", count, cycle.state.accepted, cycle.state.damaged);
    put_line(empty_image, 0U);
    board.line_errors = 40U;
    cycle_run(&cycle); /* errors for longer than a cycle listens */
    must(board.line_errors == (40U - CYCLE_BYTES_MAX), "listens too long");
}

static void break_cycle(void)
{
    start(true);
    cycle.checkins = 0x100U; /* a stage too many: something is very wrong */
    cycle_run(&cycle);
    must(board.fed == 0U, "watchdog fed by a wrong cycle");
    cycle_run(&cycle);
    must(board.fed == 1U, "watchdog not fed");
    cycle.state.locked ^= 2U; /* RAM damage */
    cycle_run(&cycle);
    cycle_run(&cycle);
    must((cycle.check == CHECK_RAM) && (cycle.state.locked != 0U), "damage not seen");
    start(false);
    cycle_run(&cycle);
    must(cycle.check == CHECK_RAM, "bad RAM not seen");
    start(true);
    cycle.program.expected++;
    cycle_run(&cycle);
    cycle_run(&cycle);
    must(cycle.check == CHECK_PROGRAM, "bad program not seen");
    start(true);
    cycle.wire.count = FRAME_BYTES + 3U; /* RAM damage where no mirror is */
    put_line((const uint8_t[]){SYNC_HOST}, 1U);
    cycle_run(&cycle);
    must(cycle.wire.count == 1U, "damaged receiver does not begin anew");
}

int main(int count, char **words)
{
    exercise_seed(1U);
    live((count > 1) ? (uint32_t)strtoul(words[1], NULL, 10) : 400000U);
    age();
    expire();
    memory_checks();
    run_cycles(20000U);
    break_cycle();
    (void)printf(failed ? "FAILED\n" : "sound\n");
    return failed ? 1 : 0;
}
