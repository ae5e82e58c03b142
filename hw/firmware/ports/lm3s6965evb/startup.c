/* From reset to main, and what every fault ends in. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "selfcheck.h"

#define VECTORS (16U + 44U)

extern uint32_t _stack_top[];
extern uint32_t _ram_tested[];
extern uint32_t _ram_end[];
extern uint32_t _data[];
extern uint32_t _data_end[];
extern uint32_t _data_image[];

_Noreturn void run(bool ram_sound, uint32_t noise);
_Noreturn void reset(void);
void fault(void);
_Noreturn void fault_stop(void);
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *at, int value, size_t count);

typedef union {
    void (*go)(void);
    uint32_t *stack;
} vector_t;

/* Interrupts stay masked, so every exception that does come is a fault. */
__attribute__((section(".vectors"), used)) static const vector_t vectors[VECTORS] = {
    [0] = {.stack = _stack_top}, [1] = {.go = reset}, [2 ... VECTORS - 1U] = {.go = fault}};

/* What RAM holds when power comes on differs from board to board and a little from time to time. */
static uint32_t ram_noise(void)
{
    uint32_t sum = 0x811C9DC5U;
    for (const volatile uint32_t *at = _ram_tested; at < _ram_end; at++) {
        sum = (sum ^ *at) * 0x01000193U;
    }
    return sum;
}

/* Order: outputs safe, watchdog running, RAM tested (the stack lies outside of what the test overwrites, and the test
 * leaves zeros, which is what .bss must be), then .data. Nothing but registers and stack is used until then. */
_Noreturn void reset(void)
{
    __asm volatile("cpsid i" ::: "memory");
    board_begin();
    uint32_t noise = ram_noise();
    bool sound = selfcheck_ram(_ram_tested, ((uint32_t)_ram_end - (uint32_t)_ram_tested) / sizeof(uint32_t));
    for (uint32_t k = 0U; &_data[k] < _data_end; k++) {
        _data[k] = _data_image[k];
    }
    run(sound, noise ^ board_noise());
}

/* The stack may be what broke: begin a new one. */
__attribute__((naked)) void fault(void)
{
    __asm volatile("cpsid i\n"
                   "ldr r0, =_stack_top\n"
                   "mov sp, r0\n"
                   "b fault_stop\n");
}

_Noreturn __attribute__((used)) void fault_stop(void)
{
    for (;;) {
        board_relays_off(); /* until the watchdog resets */
    }
}
