/* Registers of the LM3S6965 (Cortex-M3) that this port uses; names as in its data sheet. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* System control */
#define RIS REG(0x400FE050U)
#define RIS_PLL_LOCKED 0x40U
#define RESC REG(0x400FE05CU) /* why the chip was reset; stays until it is written */
#define RESC_EXTERNAL 0x01U
#define RESC_POWER_ON 0x02U
#define RESC_BROWN_OUT 0x04U
#define RESC_WATCHDOG 0x08U
#define RESC_SOFTWARE 0x10U
#define RCC REG(0x400FE060U)
#define RCC_BYPASS 0x00000800U
#define RCC_8_MHZ 0x00000380U /* crystal on the main oscillator */
#define RCC_DIVIDED_BY_4 0x01C00000U
#define RCGC0 REG(0x400FE100U)
#define RCGC0_WATCHDOG 0x00000008U
#define RCGC1 REG(0x400FE104U)
#define RCGC1_TIMER0_UART0 0x00010001U
#define RCGC2 REG(0x400FE108U)
#define RCGC2_PORTS_A_B_E 0x00000013U

/* Watchdog: the first expiry sets its flag, the second one resets the chip */
#define WDT_LOAD REG(0x40000000U)
#define WDT_CTL REG(0x40000008U)
#define WDT_CTL_RESET 0x3U
#define WDT_ICR REG(0x4000000CU) /* any write clears the flag and starts anew from LOAD */
#define WDT_RIS REG(0x40000010U)
#define WDT_LOCK REG(0x40000C00U)
#define WDT_UNLOCKED 0x1ACCE551U

/* GPIO: the address of DATA carries a mask of the pins that are read or written */
#define GPIO_A 0x40004000U
#define GPIO_B 0x40005000U
#define GPIO_E 0x40024000U
#define GPIO_DATA(port, mask) REG((port) + ((mask) << 2U))
#define GPIO_DIR(port) REG((port) + 0x400U)
#define GPIO_AFSEL(port) REG((port) + 0x420U)
#define GPIO_PDR(port) REG((port) + 0x514U)
#define GPIO_DEN(port) REG((port) + 0x51CU)

/* UART0, a PL011 */
#define UART_DR REG(0x4000C000U)
#define UART_DR_ERRORS 0xF00U /* overrun, break, parity, framing */
#define UART_FR REG(0x4000C018U)
#define UART_FR_RX_EMPTY 0x10U
#define UART_FR_TX_FULL 0x20U
#define UART_IBRD REG(0x4000C024U)
#define UART_FBRD REG(0x4000C028U)
#define UART_LCRH REG(0x4000C02CU)
#define UART_LCRH_8N1_FIFO 0x70U
#define UART_CTL REG(0x4000C030U)
#define UART_CTL_ON 0x301U

/* Timer 0, 32 bits, one shot: it ends the sleep */
#define TIMER_CFG REG(0x40030000U)
#define TIMER_TAMR REG(0x40030004U)
#define TIMER_TAMR_ONE_SHOT 1U
#define TIMER_CTL REG(0x4003000CU)
#define TIMER_IMR REG(0x40030018U)
#define TIMER_ICR REG(0x40030024U)
#define TIMER_TAILR REG(0x40030028U)

/* Cortex-M3 */
#define SYST_CSR REG(0xE000E010U)
#define SYST_CSR_ON 5U /* processor clock, no interrupt */
#define SYST_RVR REG(0xE000E014U)
#define SYST_CVR REG(0xE000E018U)
#define NVIC_ISER0 REG(0xE000E100U)
#define NVIC_ICPR0 REG(0xE000E280U)
#define NVIC_TIMER0 0x00080000U
#define MPU_CTRL REG(0xE000ED94U)
#define MPU_CTRL_ON 5U /* on, with the default map for what no region covers */
#define MPU_RBAR REG(0xE000ED9CU)
#define MPU_REGION(address, number) ((address) | 0x10U | (number))
#define MPU_RASR REG(0xE000EDA0U)
#define MPU_RAM_DATA_ONLY 0x1306001FU /* 64 KiB, read and write, no execution */
#define MPU_NOTHING_256 0x1000000FU   /* 256 bytes, no access */

#endif
