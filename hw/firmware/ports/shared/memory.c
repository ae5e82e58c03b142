/* The compiler calls these for large assignments; each port.mk keeps it from making calls of themselves of their loops. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t count);
void *memset(void *at, int value, size_t count);

void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    for (size_t k = 0U; k < count; k++) {
        target[k] = source[k];
    }
    return to;
}

void *memset(void *at, int value, size_t count)
{
    uint8_t *target = at;
    for (size_t k = 0U; k < count; k++) {
        target[k] = (uint8_t)value;
    }
    return at;
}
