/* Memory with a fault in it, for the test of the RAM march. selfcheck.c is compiled with calls before every load and
 * store (gcc -fsanitize=kernel-address); these calls put the fault into the memory before it is looked at. */
#include <stdbool.h>
#include <stdint.h>

#include "selfcheck.h"

#define WORDS 64U

typedef enum {
    FAULT_NONE = 0,
    FAULT_STUCK = 1,      /* bit `bit` of word `victim` always reads `value` */
    FAULT_COUPLED = 2,    /* when `bit` of `aggressor` becomes `edge`, `bit` of `victim` becomes `value` */
    FAULT_TRANSITION = 3, /* `bit` of `victim` cannot change to `value` */
    FAULT_ALIAS = 4       /* words `aggressor` and `victim` are the same cell */
} fault_kind_t;

typedef struct {
    uint32_t kind;
    uint32_t aggressor;
    uint32_t victim;
    uint32_t bit;
    uint32_t edge;
    uint32_t value;
} fault_t;

void __asan_load1_noabort(uintptr_t at);
void __asan_load4_noabort(uintptr_t at);
void __asan_load8_noabort(uintptr_t at);
void __asan_store4_noabort(uintptr_t at);
void __asan_store8_noabort(uintptr_t at);
bool faulty_march(uint32_t count, const fault_t *wanted);

static uint32_t memory[WORDS];
static uint32_t before[WORDS];
static fault_t fault;

static void put(uint32_t word, uint32_t bit, uint32_t value)
{
    memory[word] = (memory[word] & ~(1U << bit)) | (value << bit);
}

static uint32_t got(const uint32_t *words, uint32_t word)
{
    return (words[word] >> fault.bit) & 1U;
}

/* What the fault made of the last access. */
static void spoil(void)
{
    uint32_t a = fault.aggressor;
    uint32_t v = fault.victim;
    if (fault.kind == FAULT_STUCK) {
        put(v, fault.bit, fault.value);
    } else if ((fault.kind == FAULT_COUPLED) && (got(before, a) != got(memory, a)) && (got(memory, a) == fault.edge)) {
        put(v, fault.bit, fault.value);
    } else if ((fault.kind == FAULT_TRANSITION) && (got(before, v) != fault.value) && (got(memory, v) == fault.value)) {
        put(v, fault.bit, 1U - fault.value);
    } else if (fault.kind == FAULT_ALIAS) {
        uint32_t written = (memory[a] != before[a]) ? memory[a] : memory[v];
        memory[a] = written;
        memory[v] = written;
    } else {
        /* sound */
    }
    for (uint32_t k = 0U; k < WORDS; k++) {
        before[k] = memory[k];
    }
}

void __asan_load4_noabort(uintptr_t at)
{
    (void)at;
    spoil();
}

void __asan_store4_noabort(uintptr_t at)
{
    (void)at;
    spoil();
}

/* Other accesses of the file: not to the memory under test. */
void __asan_load1_noabort(uintptr_t at)
{
    (void)at;
}

void __asan_load8_noabort(uintptr_t at)
{
    (void)at;
}

void __asan_store8_noabort(uintptr_t at)
{
    (void)at;
}

bool faulty_march(uint32_t count, const fault_t *wanted)
{
    static const fault_t none = {0};
    fault = none;
    for (uint32_t k = 0U; k < WORDS; k++) {
        memory[k] = 0U;
        before[k] = 0U;
    }
    fault = *wanted;
    return selfcheck_ram(memory, count);
}
