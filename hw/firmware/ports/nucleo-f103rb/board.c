/* Pins, clock and watchdog of the NUCLEO-F103RB. Built and linked by the tests, and run against a model of the
 * registers written from the same manual; NOT run on hardware. */
#include "board.h"

#include "kept.h"
#include "pins.h"
#include "port.h"
#include "stm32f103.h"

/* ------------------------------------------------------------------ pins */

#define PORT_A 0U
#define PORT_B 1U
#define PORT_C 2U

enum { PULL_DOWN, PULL_UP, OUTPUT, LINE };

typedef struct {
    uint32_t port;
    uint32_t bit;
    uint32_t mode;
} pin_t;

#define AS_NUMBER(signal, port, bit, mode, header, meaning) signal,
#define AS_ROW(signal, port, bit, mode, header, meaning) {PORT_##port, (bit), (uint32_t)(mode)},
enum { PINS(AS_NUMBER) PIN_COUNT };
static const pin_t pins[PIN_COUNT] = {PINS(AS_ROW)};

static void pin_write(uint32_t signal, bool high)
{
    uint32_t mask = 1UL << pins[signal].bit;
    GPIO_BSRR(pins[signal].port) = high ? mask : (mask << 16U);
}

static bool pin_read(uint32_t signal)
{
    return (GPIO_IDR(pins[signal].port) & (1UL << pins[signal].bit)) != 0U;
}

static uint32_t pin_mode(uint32_t mode)
{
    uint32_t bits = GPIO_PULLED_INPUT;
    if (mode == (uint32_t)OUTPUT) {
        bits = GPIO_OUTPUT_2MHZ;
    } else if (mode == (uint32_t)LINE) {
        bits = GPIO_ALTERNATE_2MHZ;
    } else {
        /* an input, pulled as ODR says */
    }
    return bits;
}

void pins_start(void)
{
    RCC_APB2ENR |= RCC_APB2ENR_IOPAEN | RCC_APB2ENR_IOPBEN | RCC_APB2ENR_IOPCEN;
    for (uint32_t k = 0U; k < (uint32_t)PIN_COUNT; k++) {
        uint32_t shift = 4U * (pins[k].bit % 8U);
        uint32_t bits = pin_mode(pins[k].mode) << shift;
        pin_write(k, pins[k].mode == (uint32_t)PULL_UP); /* the level first, so that no output starts high */
        if (pins[k].bit < 8U) {
            GPIO_CRL(pins[k].port) = (GPIO_CRL(pins[k].port) & ~(0xFUL << shift)) | bits;
        } else {
            GPIO_CRH(pins[k].port) = (GPIO_CRH(pins[k].port) & ~(0xFUL << shift)) | bits;
        }
    }
}

void port_sample(estop_inputs_t *in)
{
    in->channel_a = pin_read((uint32_t)CHANNEL_A);
    in->channel_b = pin_read((uint32_t)CHANNEL_B);
    in->key = pin_read((uint32_t)KEY);
    in->released_1 = pin_read((uint32_t)RELEASED_1);
    in->released_2 = pin_read((uint32_t)RELEASED_2);
}

void port_drive(const estop_outputs_t *out)
{
    pin_write((uint32_t)RELAY_1, out->relay_1);
    pin_write((uint32_t)RELAY_2, out->relay_2);
    pin_write((uint32_t)LAMP, out->led);
}

_Noreturn void board_give_up(void)
{
    for (;;) {
        pin_write((uint32_t)RELAY_1, false);
        pin_write((uint32_t)RELAY_2, false);
    }
}

/* ------------------------------------------------------------------ clock */

/* HSI 8 MHz / 2 * 16. No crystal: the board's 8 MHz come from the ST-LINK by way of a solder bridge, and a crystal that
 * cracks or does not start would take the emergency stop with it. The datasheet gives the HSI 2.5 % over temperature;
 * RM0008 lets the receiver of the USART be 3.3 % off. */
#define PLL_TRIES 20000U /* 20 ms at 8 MHz or more; ready after 0.2 ms */

/* The second clock is the LSI, 30 to 60 kHz by the datasheet, which also drives the watchdog. In 100 ms of the HSI, 3 %
 * more or less, it must make 2900 to 6200 steps. This finds a clock that runs at half or double speed; a smaller error
 * shows in frames that cannot be read. */
#define COMPARE_US 100000U
#define LSI_STEPS_MIN 2900U
#define LSI_STEPS_MAX 6200U

typedef struct {
    uint32_t us;
    uint32_t ticks; /* of the last microsecond that has begun */
    uint32_t counter; /* SysTick at the last look */
    uint32_t compare_us; /* begin of the present comparison */
    uint32_t compare_steps; /* LSI steps since then */
    uint32_t divider; /* of the LSI at the last look */
    bool comparing;
    bool wrong;
} clock_t;

static clock_t clock;

void clock_start(void)
{
    FLASH_ACR = FLASH_ACR_LATENCY_2 | FLASH_ACR_PRFTBE;
    RCC_CFGR = RCC_CFGR_PLLMUL16 | RCC_CFGR_PPRE1_DIV2;
    RCC_CR |= RCC_CR_PLLON;
    uint32_t tries = 0U;
    while (((RCC_CR & RCC_CR_PLLRDY) == 0U) && (tries < PLL_TRIES)) {
        tries++;
    }
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    while (((RCC_CFGR & RCC_CFGR_SWS) != RCC_CFGR_SWS_PLL) && (tries < PLL_TRIES)) {
        tries++;
    }
    if (tries >= PLL_TRIES) {
        board_give_up();
    }
    SYST_RVR = SYST_MASK;
    SYST_CVR = 0U;
    SYST_CSR = SYST_CSR_CLKSOURCE | SYST_CSR_ENABLE;
    RCC_CSR |= RCC_CSR_LSION;
    RCC_APB1ENR |= RCC_APB1ENR_PWREN | RCC_APB1ENR_BKPEN;
    PWR_CR |= PWR_CR_DBP;
    RCC_BDCR = RCC_BDCR_BDRST; /* the real-time clock keeps what it was set to over every other reset */
    RCC_BDCR = 0U;
    RCC_BDCR = RCC_BDCR_RTCSEL_LSI;
    RCC_BDCR = RCC_BDCR_RTCSEL_LSI | RCC_BDCR_RTCEN;
}

/* Adds up differences of the 24-bit counter of the core, which runs down at 64 MHz and around in 262 ms. The timers of
 * this chip have 16 bits; two of them in a chain cannot be read at one moment. A cycle that takes longer than the
 * counter's round cannot lose time here, because the watchdog ends it first. */
uint32_t port_now_us(void)
{
    uint32_t counter = SYST_CVR;
    clock.ticks += (clock.counter - counter) & SYST_MASK;
    clock.counter = counter;
    clock.us += clock.ticks / CPU_MHZ;
    clock.ticks %= CPU_MHZ;
    return clock.us;
}

/* Steps of the LSI since the last look: at most one round of its divider, 0.5 s or more. */
static uint32_t lsi_steps(void)
{
    uint32_t now = RTC_DIVL & 0xFFFFU;
    uint32_t steps = (clock.divider >= now) ? (clock.divider - now) : (clock.divider + RTC_DIV_RESET + 1U - now);
    clock.divider = now;
    return steps;
}

/* Called in every cycle. The first comparison begins when the real-time clock has synchronised; if it never does, that
 * is wrong, too. */
static bool clocks_agree(void)
{
    uint32_t now_us = port_now_us();
    uint32_t steps = lsi_steps();
    bool due = (now_us - clock.compare_us) >= COMPARE_US;
    bool synchronised = (RTC_CRL & RTC_CRL_RSF) != 0U;
    clock.compare_steps += steps;
    if (due) {
        bool close = (clock.compare_steps >= LSI_STEPS_MIN) && (clock.compare_steps <= LSI_STEPS_MAX);
        clock.wrong = clock.wrong || !clock.comparing || !close;
    }
    if (due || (synchronised && !clock.comparing)) {
        clock.comparing = synchronised;
        clock.compare_us = now_us;
        clock.compare_steps = 0U;
    }
    return !clock.wrong;
}

/* ------------------------------------------------------------------ watchdog */

/* LSI / 4 = 7.5 to 15 kHz. 375 steps take 25 ms at 60 kHz, 37.5 ms at 40 kHz, 50 ms at 30 kHz: longer than the longest
 * cycle that the core accepts (CYCLE_US, 5 ms here), shorter than a person notices. Until the first feed the counter
 * runs from its reset value, 273 ms at least, which covers the RAM test. */
#define WATCHDOG_RELOAD 374U

void watchdog_start(void)
{
    IWDG_KR = IWDG_KR_START;
    IWDG_KR = IWDG_KR_ACCESS;
    IWDG_PR = IWDG_PR_DIV4;
    IWDG_RLR = WATCHDOG_RELOAD;
}

void port_feed_watchdog(void)
{
    if (clocks_agree()) {
        IWDG_KR = IWDG_KR_RELOAD;
    }
}

/* RM0008: every reset also pulls NRST and sets PINRSTF, so the other flags go first. They stay until RMVF is written.
 * Anything that is neither power nor watchdog was the reset button, the debugger or the program itself. */
uint32_t board_reset_cause(bool ran_before)
{
    (void)ran_before; /* the chip itself knows */
    uint32_t flags = RCC_CSR;
    uint32_t cause = CAUSE_RESTART;
    if ((flags & RCC_CSR_PORRSTF) != 0U) {
        cause = CAUSE_POWER_UP;
    } else if ((flags & RCC_CSR_IWDGRSTF) != 0U) {
        cause = CAUSE_WATCHDOG;
    } else {
        /* as said above */
    }
    RCC_CSR |= RCC_CSR_RMVF;
    return cause;
}
