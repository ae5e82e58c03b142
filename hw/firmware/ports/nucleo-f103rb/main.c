/* One cycle every millisecond of the free-running clock, for ever. */
#include "board.h"
#include "cycle.h"
#include "kept.h"
#include "port.h"

#define PERIOD_US 1000U

extern const uint8_t _image_start[];
extern const uint8_t _image_end[];

/* Written by seal_image.py; an image that it has not sealed never leaves STOPPED. */
__attribute__((section(".image_crc"), used)) static const volatile uint32_t image_crc = 0xFFFFFFFFU;

cycle_t cycle;

/* Until a period after `due_us`; returns when that was. Cycles that were missed are not caught up with. */
static uint32_t next_cycle(uint32_t due_us)
{
    uint32_t passed_us = port_now_us() - due_us;
    while (passed_us < PERIOD_US) {
        passed_us = port_now_us() - due_us;
    }
    return due_us + ((passed_us < (2U * PERIOD_US)) ? PERIOD_US : passed_us);
}

_Noreturn void board_run(bool ram_sound, uint32_t seed)
{
    pins_start();
    line_start();
    estop_boot_t boot = {.unit = UNIT, .image_crc = image_crc};
    kept_begin(&boot, seed);
    selfcheck_init(&cycle.program, _image_start, (uint32_t)(_image_end - _image_start), image_crc);
    cycle_init(&cycle, &boot, ram_sound);
    __asm volatile("cpsie i" ::: "memory");
    uint32_t due_us = port_now_us();
    for (;;) {
        due_us = next_cycle(due_us);
        cycle_run(&cycle);
        kept_remember(&cycle.state);
    }
}
