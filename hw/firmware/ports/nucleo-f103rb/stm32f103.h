/* The registers of the STM32F103RB that this port uses, under their names in ST's reference manual RM0008 and, for the
 * core, in the ARMv7-M architecture manual. Written from these manuals; no vendor header is needed. */
#ifndef STM32F103_H
#define STM32F103_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* RM0008, reset and clock control */
#define RCC_CR REGISTER(0x40021000U)
#define RCC_CR_PLLON (1U << 24U)
#define RCC_CR_PLLRDY (1U << 25U)
#define RCC_CFGR REGISTER(0x40021004U)
#define RCC_CFGR_SW_PLL (2U << 0U)
#define RCC_CFGR_SWS (3U << 2U)
#define RCC_CFGR_SWS_PLL (2U << 2U)
#define RCC_CFGR_PPRE1_DIV2 (4U << 8U)
#define RCC_CFGR_PLLMUL16 (14U << 18U) /* PLLSRC, bit 16, stays 0: HSI / 2 */
#define RCC_APB2ENR REGISTER(0x40021018U)
#define RCC_APB2ENR_IOPAEN (1U << 2U)
#define RCC_APB2ENR_IOPBEN (1U << 3U)
#define RCC_APB2ENR_IOPCEN (1U << 4U)
#define RCC_APB1ENR REGISTER(0x4002101CU)
#define RCC_APB1ENR_USART2EN (1U << 17U)
#define RCC_APB1ENR_BKPEN (1U << 27U)
#define RCC_APB1ENR_PWREN (1U << 28U)
#define RCC_BDCR REGISTER(0x40021020U)
#define RCC_BDCR_RTCSEL_LSI (2U << 8U)
#define RCC_BDCR_RTCEN (1U << 15U)
#define RCC_BDCR_BDRST (1U << 16U)
#define RCC_CSR REGISTER(0x40021024U)
#define RCC_CSR_LSION (1U << 0U)
#define RCC_CSR_RMVF (1U << 24U)
#define RCC_CSR_PORRSTF (1U << 27U)
#define RCC_CSR_IWDGRSTF (1U << 29U)

/* RM0008, embedded flash memory interface */
#define FLASH_ACR REGISTER(0x40022000U)
#define FLASH_ACR_LATENCY_2 (2U << 0U) /* two wait states: needed above 48 MHz */
#define FLASH_ACR_PRFTBE (1U << 4U)

/* RM0008, general-purpose I/O; `port` is 0 for A, 1 for B, 2 for C */
#define GPIO(port) (0x40010800U + (0x400U * (port)))
#define GPIO_CRL(port) REGISTER(GPIO(port) + 0x00U)
#define GPIO_CRH(port) REGISTER(GPIO(port) + 0x04U)
#define GPIO_IDR(port) REGISTER(GPIO(port) + 0x08U)
#define GPIO_BSRR(port) REGISTER(GPIO(port) + 0x10U)
#define GPIO_BRR(port) REGISTER(GPIO(port) + 0x14U)
/* CNF and MODE of one pin */
#define GPIO_OUTPUT_2MHZ 0x2U
#define GPIO_ALTERNATE_2MHZ 0xAU
#define GPIO_PULLED_INPUT 0x8U /* ODR says whether up or down; it is 0, down, after a reset */

/* RM0008, universal synchronous asynchronous receiver transmitter */
#define USART2_SR REGISTER(0x40004400U)
#define USART_SR_FE (1U << 1U)
#define USART_SR_NE (1U << 2U)
#define USART_SR_ORE (1U << 3U)
#define USART_SR_RXNE (1U << 5U)
#define USART_SR_TXE (1U << 7U)
#define USART2_DR REGISTER(0x40004404U)
#define USART2_BRR REGISTER(0x40004408U)
#define USART2_CR1 REGISTER(0x4000440CU)
#define USART_CR1_RE (1U << 2U)
#define USART_CR1_TE (1U << 3U)
#define USART_CR1_RXNEIE (1U << 5U)
#define USART_CR1_TXEIE (1U << 7U)
#define USART_CR1_UE (1U << 13U)
#define USART2_IRQ 38U

/* RM0008, independent watchdog */
#define IWDG_KR REGISTER(0x40003000U)
#define IWDG_KR_RELOAD 0xAAAAU
#define IWDG_KR_ACCESS 0x5555U
#define IWDG_KR_START 0xCCCCU
#define IWDG_PR REGISTER(0x40003004U)
#define IWDG_PR_DIV4 0U
#define IWDG_RLR REGISTER(0x40003008U)

/* RM0008, power control and real-time clock */
#define PWR_CR REGISTER(0x40007000U)
#define PWR_CR_DBP (1U << 8U)
#define RTC_CRL REGISTER(0x40002804U)
#define RTC_CRL_RSF (1U << 3U)
#define RTC_DIVL REGISTER(0x40002814U)
#define RTC_DIV_RESET 0x8000U /* start of the divider, which counts down to 0, as the backup domain reset leaves it */

/* RM0008, unique device ID */
#define UID_WORD(k) REGISTER(0x1FFFF7E8U + (4U * (k)))

/* ARMv7-M, SysTick */
#define SYST_CSR REGISTER(0xE000E010U)
#define SYST_CSR_ENABLE (1U << 0U)
#define SYST_CSR_CLKSOURCE (1U << 2U) /* processor clock; TICKINT, bit 1, stays 0: no interrupt */
#define SYST_RVR REGISTER(0xE000E014U)
#define SYST_CVR REGISTER(0xE000E018U)
#define SYST_MASK 0x00FFFFFFU

/* ARMv7-M, interrupt controller */
#define NVIC_ISER(k) REGISTER(0xE000E100U + (4U * (k)))

#endif
