#include "noisy_line.h"

#include <math.h>
#include <string.h>

#define BURST_BITS 64.0

/* splitmix64 */
uint64_t random_next(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15U;
    uint64_t z = *state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
}

/* Failures before the first success, given the logarithm of the chance to fail. */
static uint64_t geometric(noise_t *n, double fail_log)
{
    double u = ((double)(random_next(&n->random) >> 11U) + 1.0) * 0x1p-53;
    return (uint64_t)(log(u) / fail_log);
}

/* Clean bits before the next error, which is then used up. */
static uint64_t distance(noise_t *n)
{
    if (n->burst_log == 0.0) {
        return geometric(n, n->clean_log);
    }
    uint64_t clean = 0U;
    for (;;) {
        while (n->burst_left > 0U) {
            n->burst_left--;
            if ((random_next(&n->random) >> 63U) == 1U) {
                return clean;
            }
            clean++;
        }
        clean += geometric(n, n->clean_log);
        n->burst_left = 1U + geometric(n, n->burst_log);
    }
}

noise_t noise_new(bool bursts, double rate, uint64_t seed)
{
    noise_t n = {.random = seed, .clean_log = log1p(-rate)};
    if (bursts) {
        double clean_bits = BURST_BITS * ((0.5 / rate) - 1.0);
        n.clean_log = log1p(-1.0 / (1.0 + clean_bits));
        n.burst_log = log1p(-1.0 / BURST_BITS);
    }
    n.wait = distance(&n);
    return n;
}

uint32_t noise_spoil(noise_t *n, uint8_t *bits, uint32_t count)
{
    uint32_t flipped = 0U;
    uint32_t at = 0U;
    while (n->wait < (uint64_t)(count - at)) {
        at += (uint32_t)n->wait;
        bits[at / 8U] ^= (uint8_t)(1U << (at % 8U));
        at++;
        flipped++;
        n->wait = distance(n);
    }
    n->wait -= (uint64_t)(count - at);
    return flipped;
}

void noise_pass(noise_t *n, uint32_t count)
{
    uint64_t left = (n->burst_log == 0.0) ? 0U : count;
    while (n->wait < left) {
        left -= n->wait + 1U;
        n->wait = distance(n);
    }
    n->wait -= left;
}

port_received_t uart_bit(uart_t *u, uint32_t bit)
{
    port_received_t result = PORT_NOTHING;
    if (u->count == 0U) {
        u->count = (bit == 0U) ? 1U : 0U;
        u->byte = 0U;
    } else if (u->count < (CHARACTER_BITS - 1U)) {
        u->byte |= bit << (u->count - 1U);
        u->count++;
    } else {
        result = (bit == 1U) ? PORT_BYTE : PORT_LINE_ERROR;
        u->count = 0U;
    }
    return result;
}

void put_characters(const uint8_t frame[FRAME_BYTES], uint8_t bits[LINE_BYTES])
{
    (void)memset(bits, 0, LINE_BYTES);
    for (uint32_t k = 0U; k < LINE_BITS; k++) {
        uint32_t character = ((uint32_t)frame[k / CHARACTER_BITS] << 1U) | 0x200U; /* start 0, data, stop 1 */
        bits[k / 8U] |= (uint8_t)(((character >> (k % CHARACTER_BITS)) & 1U) << (k % 8U));
    }
}
