/* Every pin of the board in one table; hw/README.md shows the same one, and a test compares the two.
 *
 * How they were chosen:
 * - A pin that the reset state drives or pulls up is never used: PA13 to PA15, PB3 and PB4 belong to the debug port,
 *   PB2 is BOOT1, PC13 to PC15 and PD0, PD1 are button and crystals. PA9 and PA10 are left alone because ST's boot
 *   loader drives them.
 * - The two relays lie on two GPIO ports and on header pins that are not neighbours, and so do the two channels: one
 *   wrong register write and one solder bridge reach one of them only.
 * - PA5 is the board's green lamp LD2 and D13 at the same time: nothing else may be connected to D13.
 * - PA2 and PA3 go to the ST-LINK, which is the USB serial port of the board (solder bridges SB13, SB14 closed).
 */
#ifndef PINS_H
#define PINS_H

/* X(signal, GPIO port, bit, mode, name on the Arduino header, what it is) */
#define PINS(X) \
    X(CHANNEL_A, A, 0, PULL_DOWN, "A0", "emergency-stop channel A, high while closed") \
    X(CHANNEL_B, C, 1, PULL_DOWN, "A4", "emergency-stop channel B, high while closed") \
    X(KEY, A, 4, PULL_DOWN, "A2", "reset key, high while pressed") \
    X(RELEASED_1, C, 7, PULL_DOWN, "D9", "mirror contact of relay 1, high while released") \
    X(RELEASED_2, A, 6, PULL_DOWN, "D12", "mirror contact of relay 2, high while released") \
    X(RELAY_1, A, 8, OUTPUT, "D7", "relay 1, static driver") \
    X(RELAY_2, B, 6, OUTPUT, "D10", "relay 2, charge-pump driver") \
    X(LAMP, A, 5, OUTPUT, "D13", "lamp LD2 on the board") \
    X(LINE_OUT, A, 2, LINE, "D1", "USART2 TX, to the ST-LINK") \
    X(LINE_IN, A, 3, PULL_UP, "D0", "USART2 RX, from the ST-LINK")

#endif
