/* One cycle every millisecond of the free-running clock, for ever. */
#include "board.h"
#include "cycle.h"
#include "kept.h"
#include "port.h"
#ifdef TEST_HANG
#include "hang.h"
#endif

#define PERIOD_US 1000U

extern const uint8_t _image_start[];
extern const uint8_t _image_end[];

/* Written by seal_image.py; an image that it has not sealed never leaves STOPPED. */
__attribute__((section(".image_crc"), used)) static const volatile uint32_t image_crc = 0xFFFFFFFFU;

cycle_t cycle;

_Noreturn void run(bool ram_sound, uint32_t noise);

/* Until a period after `due_us`; returns when that was. Cycles that were missed are not caught up with. */
static uint32_t next_cycle(uint32_t due_us)
{
    uint32_t passed_us = port_now_us() - due_us;
    uint32_t next_us = due_us + PERIOD_US;
    while (passed_us < PERIOD_US) {
        board_sleep(PERIOD_US - passed_us);
        passed_us = port_now_us() - due_us;
    }
    return (passed_us < (2U * PERIOD_US)) ? next_us : (due_us + passed_us);
}

_Noreturn void run(bool ram_sound, uint32_t noise)
{
    board_connect();
    estop_boot_t boot = {.unit = UNIT, .image_crc = image_crc};
    kept_begin(&boot, noise);
    selfcheck_init(&cycle.program, _image_start, (uint32_t)_image_end - (uint32_t)_image_start, image_crc);
    cycle_init(&cycle, &boot, ram_sound);
    uint32_t due_us = port_now_us();
    for (;;) {
        due_us = next_cycle(due_us);
#ifdef TEST_HANG
        hang_if_asked(&cycle);
#endif
        cycle_run(&cycle);
        kept_remember(&cycle.state);
        board_flush();
    }
}
