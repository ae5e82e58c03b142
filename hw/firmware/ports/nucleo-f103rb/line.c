/* USART2: the line to the host by way of the ST-LINK. One interrupt moves bytes between the registers and two rings;
 * the firmware's cycle never waits for it. */
#include "board.h"
#include "port.h"
#include "stm32f103.h"

#define APB1_HZ 32000000U
#define BAUD 115200U

#define SLOTS 64U /* a power of two; five milliseconds of line */
#define ERROR_MARK 0x100U
#define RECEIVE_ERRORS (USART_SR_FE | USART_SR_NE | USART_SR_ORE)

/* Counts run freely; each is written on one side only. */
static volatile uint16_t received[SLOTS];
static volatile uint32_t received_in; /* interrupt */
static volatile uint32_t received_out;
static volatile uint32_t lost; /* interrupt: bytes that found the ring full */
static uint32_t lost_seen;
static volatile uint8_t sending[SLOTS];
static volatile uint32_t sending_in;
static volatile uint32_t sending_out; /* interrupt */

void line_start(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    USART2_BRR = (APB1_HZ + (BAUD / 2U)) / BAUD;
    USART2_CR1 = USART_CR1_UE | USART_CR1_RE | USART_CR1_TE | USART_CR1_RXNEIE;
    NVIC_ISER(USART2_IRQ / 32U) = 1UL << (USART2_IRQ % 32U);
}

void line_interrupt(void)
{
    uint32_t status = USART2_SR; /* together with the read of DR this clears the error flags */
    if ((status & (USART_SR_RXNE | RECEIVE_ERRORS)) != 0U) {
        uint32_t byte = USART2_DR & 0xFFU;
        uint32_t mark = ((status & RECEIVE_ERRORS) != 0U) ? ERROR_MARK : 0U;
        if ((received_in - received_out) < SLOTS) {
            received[received_in % SLOTS] = (uint16_t)(byte | mark);
            received_in++;
        } else {
            lost++;
        }
    }
    if ((status & USART_SR_TXE) != 0U) {
        if (sending_in != sending_out) {
            USART2_DR = sending[sending_out % SLOTS];
            sending_out++;
        } else {
            USART2_CR1 &= ~USART_CR1_TXEIE;
        }
    }
}

port_received_t port_receive(uint8_t *byte)
{
    port_received_t result = PORT_NOTHING;
    if (received_in != received_out) {
        uint32_t slot = received[received_out % SLOTS];
        received_out++;
        *byte = (uint8_t)(slot & 0xFFU);
        result = ((slot & ERROR_MARK) != 0U) ? PORT_LINE_ERROR : PORT_BYTE;
    } else if (lost_seen != lost) { /* behind the bytes that came before the gap */
        lost_seen = lost;
        result = PORT_LINE_ERROR;
    } else {
        /* silent */
    }
    return result;
}

void port_send(const uint8_t frame[FRAME_BYTES])
{
    if ((SLOTS - (sending_in - sending_out)) >= FRAME_BYTES) {
        for (uint32_t k = 0U; k < FRAME_BYTES; k++) {
            sending[(sending_in + k) % SLOTS] = frame[k];
        }
        sending_in += FRAME_BYTES;
        /* If the interrupt comes between reading and writing CR1, it only happens once more than needed. */
        USART2_CR1 |= USART_CR1_TXEIE;
    }
}
