#include "selfcheck.h"

#include "wire.h"

#define ZEROS 0x55555555U
#define ONES 0xAAAAAAAAU

/* One element of the march, upwards or downwards: expect `was`, write `next`. */
static bool march(volatile uint32_t *words, uint32_t count, bool up, uint32_t was, uint32_t next)
{
    bool sound = true;
    /*@ loop invariant k <= count;
        loop assigns k, sound, words[0 .. count - 1];
        loop variant count - k; */
    for (uint32_t k = 0U; k < count; k++) {
        uint32_t at = up ? k : (count - 1U - k);
        if (words[at] != was) {
            sound = false;
        }
        words[at] = next;
    }
    return sound;
}

/* cppcheck-suppress misra-c2012-8.7 ; called by the ports */
bool selfcheck_ram(volatile uint32_t *words, uint32_t count)
{
    /*@ loop invariant k <= count;
        loop assigns k, words[0 .. count - 1];
        loop variant count - k; */
    for (uint32_t k = 0U; k < count; k++) {
        words[k] = ZEROS;
    }
    bool sound = march(words, count, true, ZEROS, ONES);
    sound = march(words, count, true, ONES, ZEROS) && sound;
    sound = march(words, count, false, ZEROS, ONES) && sound;
    sound = march(words, count, false, ONES, ZEROS) && sound;
    return march(words, count, true, ZEROS, 0U) && sound;
}

/* cppcheck-suppress misra-c2012-8.7 ; called by the ports */
void selfcheck_init(selfcheck_t *check, const uint8_t *image, uint32_t length, uint32_t expected)
{
    check->image = image;
    check->length = length;
    check->expected = expected;
    check->at = 0U;
    check->crc = wire_crc_begin();
}

estop_check_t selfcheck_program(selfcheck_t *check, estop_check_t before)
{
    estop_check_t result = before;
    uint32_t left = check->length - check->at;
    uint32_t slice = (left < PROGRAM_SLICE) ? left : PROGRAM_SLICE;
    /*@ loop invariant k <= slice;
        loop assigns k, check->crc;
        loop variant slice - k; */
    for (uint32_t k = 0U; k < slice; k++) {
        check->crc = wire_crc_byte(check->crc, check->image[check->at + k]);
    }
    check->at += slice;
    if (check->at >= check->length) {
        bool sound = wire_crc_end(check->crc) == check->expected;
        if (!sound) {
            result = CHECK_PROGRAM;
        } else if (before == CHECK_RUNNING) {
            result = CHECK_PASSED;
        } else {
            /* sound as before */
        }
        check->at = 0U;
        check->crc = wire_crc_begin();
    }
    return result;
}
