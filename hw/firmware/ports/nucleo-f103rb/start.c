/* From reset to the firmware, and what every fault ends in. */
#include <stddef.h>

#include "board.h"
#include "selfcheck.h"
#include "stm32f103.h"

#define VECTORS (16U + 43U) /* of the core, and of the medium-density devices of RM0008 */

extern uint32_t _stack_bottom[];
extern uint32_t _stack_top[];
extern uint32_t _tested[];
extern uint32_t _ram_end[];
extern uint32_t _data[];
extern uint32_t _data_end[];
extern const uint32_t _data_image[];

void reset(void);
void fault(void);
uint64_t start_below(void);
_Noreturn void start_above(uint32_t seed, uint32_t sound);
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *at, int value, size_t count);

typedef union {
    void (*go)(void);
    uint32_t *stack;
} vector_t;

/* The USART's interrupt is the only one in use; every other exception is a fault. */
__attribute__((section(".vectors"), used)) static const vector_t vectors[VECTORS] = {
    [0] = {.stack = _stack_top},
    [1] = {.go = reset},
    [2 ... 15U + USART2_IRQ] = {.go = fault},
    [16U + USART2_IRQ] = {.go = line_interrupt},
    [17U + USART2_IRQ ... VECTORS - 1U] = {.go = fault}};

/* The stack moves to the end of RAM while its own place is tested, and back before the rest is. What start_below
 * returns in r0 and r1 are the arguments of start_above. */
__attribute__((naked)) void reset(void)
{
    __asm volatile("cpsid i\n"
                   "ldr r0, =_ram_end\n"
                   "mov sp, r0\n"
                   "bl start_below\n"
                   "ldr r2, =_stack_top\n"
                   "mov sp, r2\n"
                   "b start_above\n");
}

/* What RAM holds when power comes on differs from board to board and a little from time to time. */
static uint32_t ram_noise(void)
{
    uint32_t sum = UID_WORD(0U) ^ UID_WORD(1U) ^ UID_WORD(2U);
    for (const volatile uint32_t *at = _stack_bottom; at < _ram_end; at++) {
        sum = (sum ^ *at) * 0x01000193U;
    }
    return sum;
}

/* Registers and stack only: no variable is used before RAM has been tested. The relay pins are inputs since the reset,
 * which the drivers take for off. */
__attribute__((used)) uint64_t start_below(void)
{
    watchdog_start();
    clock_start();
    uint32_t seed = ram_noise();
    bool sound = selfcheck_ram(_stack_bottom, (uint32_t)(_stack_top - _stack_bottom));
    return ((uint64_t)(sound ? 1U : 0U) << 32U) | seed;
}

/* The test leaves zeros, which is what .bss must be. It spares .noinit, which has a checksum of its own. */
__attribute__((used)) _Noreturn void start_above(uint32_t seed, uint32_t sound)
{
    bool all_sound = selfcheck_ram(_tested, (uint32_t)(_ram_end - _tested)) && (sound == 1U);
    for (uint32_t k = 0U; &_data[k] < _data_end; k++) {
        _data[k] = _data_image[k];
    }
    board_run(all_sound, seed);
}

/* The stack may be what broke: begin a new one. */
__attribute__((naked)) void fault(void)
{
    __asm volatile("cpsid i\n"
                   "ldr r0, =_stack_top\n"
                   "mov sp, r0\n"
                   "b board_give_up\n");
}
