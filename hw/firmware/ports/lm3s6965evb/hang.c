#include "hang.h"

#include "board.h"

volatile uint32_t hang_request;
static volatile uint32_t bottom = 0xFFFFFFFFU;
static volatile uint32_t fallen;

/* Deeper than any stack. What is read after the call keeps the compiler from making a loop of it. */
static void fall(uint32_t depth)
{
    volatile uint32_t frame[16];
    frame[depth % 16U] = depth;
    if (depth != bottom) {
        fall(depth + 1U);
    }
    fallen = frame[depth % 16U];
}

void hang_if_asked(cycle_t *cycle)
{
    switch (hang_request) {
    case HANG_MAGIC + HANG_LOOP:
        for (;;) {
            fallen++; /* interrupts are masked already */
        }
        break;
    case HANG_MAGIC + HANG_UNDEFINED:
        __asm volatile("udf #0");
        break;
    case HANG_MAGIC + HANG_STACK:
        fall(0U);
        break;
    case HANG_MAGIC + HANG_JUMP:
        ((void (*)(void))0xFFFFFFF1U)();
        break;
    case HANG_MAGIC + HANG_CHECKIN:
        cycle->checkins = 0x80U; /* the sum of this cycle's check-ins can no longer be right */
        break;
    case HANG_MAGIC + HANG_RAM_CODE:
        hang_request = 0x4770BF00U; /* nop; bx lr: would come back if RAM could be executed */
        ((void (*)(void))((uint32_t)&hang_request | 1U))();
        break;
    default:
        break;
    }
}
