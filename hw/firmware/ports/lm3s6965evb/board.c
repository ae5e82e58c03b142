/* The LM3S6965 evaluation board as QEMU models it (-M lm3s6965evb). It has not been run on the real board, whose port E
 * has only four pins.
 *
 * PE0 channel A closed    PE3 relay 1 released    PB0 relay 1, static
 * PE1 channel B closed    PE4 relay 2 released    PB1 relay 2, pulsed: a charge pump that needs edges
 * PE2 key pressed         PA0, PA1 line           PB2 lamp
 * Inputs are pulled down and outputs too, by resistors on the board: a broken wire and a chip in reset read as open.
 */
#include "board.h"

#include "kept.h"
#include "port.h"
#include "registers.h"

#define TICKS_PER_US 50U
#define WRAP_TICKS 0x01000000U /* of SysTick: 335 ms */
#define WATCHDOG_TICKS (WATCHDOG_US * TICKS_PER_US)
#define QUEUE_BYTES 128U /* power of two */

#define PIN_CHANNEL_A 0x01U
#define PIN_CHANNEL_B 0x02U
#define PIN_KEY 0x04U
#define PIN_RELEASED_1 0x08U
#define PIN_RELEASED_2 0x10U
#define PINS_IN 0x1FU
#define PIN_RELAY_1 0x01U
#define PIN_RELAY_2 0x02U
#define PIN_LED 0x04U
#define PINS_OUT 0x07U
#define PINS_LINE 0x03U

/* What take_ticks says about a missed turn of SysTick rests on these. */
_Static_assert(WATCHDOG_TICKS < WRAP_TICKS, "a turn missed must be seen by the watchdog's first stage");
_Static_assert((2U * WATCHDOG_TICKS) < (2U * WRAP_TICKS), "two turns missed must end in a reset");

extern uint32_t _guard[];

static struct {
    uint32_t ticks; /* SysTick at the last look */
    uint32_t us;
    uint32_t rest_ticks;
    uint32_t since_fed_ticks;
} time;

static struct {
    uint8_t byte[QUEUE_BYTES];
    uint32_t in; /* both run freely */
    uint32_t out;
} queue;

/* ------------------------------------------------------------------ time */

/* Adds what has passed since the last look. SysTick turns over every 335 ms, and a processor held up for longer would
 * lose a whole turn. The watchdog tells: once its first stage has expired, at least WATCHDOG_US have passed since it
 * was fed. If fewer were counted, a turn was missed; two would have ended in a reset. A SysTick that stands still turns
 * no more: then time stands still, too, and the watchdog ends it. */
static void take_ticks(void)
{
    uint32_t ticks = SYST_CVR;
    uint32_t passed = (time.ticks - ticks) & (WRAP_TICKS - 1U);
    if ((passed != 0U) && (WDT_RIS != 0U) && ((time.since_fed_ticks + passed) < WATCHDOG_TICKS)) {
        passed += WRAP_TICKS;
    }
    time.ticks = ticks;
    time.since_fed_ticks += passed;
    time.rest_ticks += passed;
    time.us += time.rest_ticks / TICKS_PER_US;
    time.rest_ticks %= TICKS_PER_US;
}

uint32_t port_now_us(void)
{
    take_ticks();
    return time.us;
}

void port_feed_watchdog(void)
{
    take_ticks(); /* while the flag of the first stage still says what it has to say */
    time.since_fed_ticks = 0U;
    WDT_LOCK = WDT_UNLOCKED;
    WDT_ICR = 1U;
    WDT_LOCK = 0U;
}

uint32_t board_noise(void)
{
    return SYST_CVR;
}

/* Interrupts are masked for good (startup.c): none ever runs, and a pending one ends the sleep. */
void board_sleep(uint32_t for_us)
{
    TIMER_TAILR = for_us * TICKS_PER_US;
    TIMER_CTL = 1U;
    __asm volatile("wfi" ::: "memory");
    TIMER_ICR = 1U;
    NVIC_ICPR0 = NVIC_TIMER0;
}

/* ------------------------------------------------------------------ start */

void board_relays_off(void)
{
    GPIO_DATA(GPIO_B, PIN_RELAY_1 | PIN_RELAY_2) = 0U;
}

static void begin_watchdog(void)
{
    WDT_LOAD = WATCHDOG_TICKS;
    WDT_CTL = WDT_CTL_RESET;
    WDT_LOCK = 0U;
}

/* 50 MHz from the PLL. A PLL that never locks leaves us here until the watchdog resets. */
static void begin_clock(void)
{
    RCC = RCC_BYPASS | RCC_8_MHZ | RCC_DIVIDED_BY_4;
    while ((RIS & RIS_PLL_LOCKED) == 0U) {
        /* the watchdog runs */
    }
    RCC = RCC_8_MHZ | RCC_DIVIDED_BY_4;
}

/* Nothing may be executed from RAM, and nothing may be touched below the stack. */
static void begin_guard(void)
{
    MPU_RBAR = MPU_REGION(0x20000000U, 0U);
    MPU_RASR = MPU_RAM_DATA_ONLY;
    MPU_RBAR = MPU_REGION((uint32_t)_guard, 1U);
    MPU_RASR = MPU_NOTHING_256;
    MPU_CTRL = MPU_CTRL_ON;
    __asm volatile("dsb\n isb" ::: "memory");
}

void board_begin(void)
{
    RCGC0 |= RCGC0_WATCHDOG;
    RCGC2 |= RCGC2_PORTS_A_B_E;
    RCGC1 |= RCGC1_TIMER0_UART0;
    board_relays_off();
    GPIO_DIR(GPIO_B) = PINS_OUT;
    GPIO_DEN(GPIO_B) = PINS_OUT;
    begin_watchdog();
    begin_clock();
    SYST_RVR = WRAP_TICKS - 1U;
    SYST_CVR = 0U;
    SYST_CSR = SYST_CSR_ON;
    begin_guard();
}

void board_connect(void)
{
    time.ticks = SYST_CVR;
    GPIO_PDR(GPIO_E) = PINS_IN;
    GPIO_DEN(GPIO_E) = PINS_IN;
    GPIO_AFSEL(GPIO_A) = PINS_LINE;
    GPIO_DEN(GPIO_A) = PINS_LINE;
    UART_IBRD = 27U; /* 50 MHz / 16 / 115200 = 27 + 8/64 */
    UART_FBRD = 8U;
    UART_LCRH = UART_LCRH_8N1_FIFO;
    UART_CTL = UART_CTL_ON;
    TIMER_CFG = 0U;
    TIMER_TAMR = TIMER_TAMR_ONE_SHOT;
    TIMER_IMR = 1U;
    NVIC_ISER0 = NVIC_TIMER0;
}

/* ------------------------------------------------------------------ contacts */

void port_sample(estop_inputs_t *in)
{
    uint32_t pins = GPIO_DATA(GPIO_E, PINS_IN);
    in->channel_a = (pins & PIN_CHANNEL_A) != 0U;
    in->channel_b = (pins & PIN_CHANNEL_B) != 0U;
    in->key = (pins & PIN_KEY) != 0U;
    in->released_1 = (pins & PIN_RELEASED_1) != 0U;
    in->released_2 = (pins & PIN_RELEASED_2) != 0U;
}

void port_drive(const estop_outputs_t *out)
{
    uint32_t pins = out->relay_1 ? PIN_RELAY_1 : 0U;
    pins |= out->relay_2 ? PIN_RELAY_2 : 0U;
    pins |= out->led ? PIN_LED : 0U;
    GPIO_DATA(GPIO_B, PINS_OUT) = pins;
}

/* ------------------------------------------------------------------ line */

/* The FIFO of 16 bytes is looked at every millisecond, in which 115200 baud bring 11.5. */
port_received_t port_receive(uint8_t *byte)
{
    port_received_t result = PORT_NOTHING;
    if ((UART_FR & UART_FR_RX_EMPTY) == 0U) {
        uint32_t data = UART_DR;
        *byte = (uint8_t)(data & 0xFFU);
        result = ((data & UART_DR_ERRORS) == 0U) ? PORT_BYTE : PORT_LINE_ERROR;
    }
    return result;
}

void port_send(const uint8_t frame[FRAME_BYTES])
{
    if ((queue.in - queue.out) <= (QUEUE_BYTES - FRAME_BYTES)) {
        for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
            queue.byte[(queue.in + k) % QUEUE_BYTES] = frame[k];
        }
        queue.in += FRAME_BYTES;
    }
    board_flush();
}

void board_flush(void)
{
    while ((queue.in != queue.out) && ((UART_FR & UART_FR_TX_FULL) == 0U)) {
        UART_DR = queue.byte[queue.out % QUEUE_BYTES];
        queue.out++;
    }
}

/* The chip latches in RESC why it was reset. QEMU models the register but never sets it: there the bench writes what a
 * power supply or a reset button would have latched. A watchdog reset leaves it at 0 in QEMU. So without a word of
 * RESC: a program that had been running and announced nothing was reset by its watchdog. */
uint32_t board_reset_cause(bool ran_before)
{
    uint32_t latched = RESC;
    uint32_t cause = ran_before ? CAUSE_WATCHDOG : CAUSE_POWER_UP;
    if ((latched & RESC_WATCHDOG) != 0U) {
        cause = CAUSE_WATCHDOG;
    } else if ((latched & (RESC_POWER_ON | RESC_BROWN_OUT)) != 0U) {
        cause = CAUSE_POWER_UP;
    } else if ((latched & (RESC_EXTERNAL | RESC_SOFTWARE)) != 0U) {
        cause = CAUSE_RESTART;
    } else {
        /* as said above */
    }
    RESC = 0U;
    return cause;
}
