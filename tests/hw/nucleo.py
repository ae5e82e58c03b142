"""The NUCLEO-F103RB in software: the real image on an emulated Cortex-M3, with the registers that the port uses.

The registers follow RM0008 as the port's author read it, so this finds mistakes of the program, not of the reading.
Time passes when the program looks at SysTick, never by the wall clock: every run is the same.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_SP, UC_CPU_ARM_CORTEX_M3

from safetykit.core import protocol as p

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "hw" / "firmware"
PORT = FIRMWARE / "ports" / "nucleo-f103rb"
ELF = ROOT / "out" / "firmware" / "nucleo-f103rb.elf"
BIN = ELF.with_suffix(".bin")

FLASH, FLASH_BYTES = 0x0800_0000, 128 * 1024
RAM, RAM_BYTES = 0x2000_0000, 20 * 1024
PERIPHERALS, PERIPHERALS_BYTES = 0x4000_0000, 0x30000
UNIQUE_ID, CORE, PAGE = 0x1FFF_F000, 0xE000_E000, 0x1000
NOWHERE = 0x0810_0000  # return address of an interrupt that the model calls

RCC_CR, RCC_CFGR, RCC_BDCR, RCC_CSR = 0x4002_1000, 0x4002_1004, 0x4002_1020, 0x4002_1024
RCC_APB1ENR, RCC_APB2ENR = 0x4002_101C, 0x4002_1018
FLASH_ACR = 0x4002_2000
USART2_SR, USART2_DR, USART2_BRR, USART2_CR1 = 0x4000_4400, 0x4000_4404, 0x4000_4408, 0x4000_440C
IWDG_KR, IWDG_PR, IWDG_RLR = 0x4000_3000, 0x4000_3004, 0x4000_3008
RTC_CRL, RTC_DIVL = 0x4000_2804, 0x4000_2814
SYST_CSR, SYST_CVR, NVIC_ISER1 = 0xE000_E010, 0xE000_E018, 0xE000_E104
GPIO_PORTS = {"A": 0x4001_0800, "B": 0x4001_0C00, "C": 0x4001_1000}

FE, NE, ORE, RXNE, TXE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 7
RXNEIE, TXEIE = 1 << 5, 1 << 7
PORRSTF, IWDGRSTF, SFTRSTF, PINRSTF = 1 << 27, 1 << 29, 1 << 28, 1 << 26
USART2_VECTOR = 16 + 38

MHZ = 64
LOOK_CYCLES = 4 * MHZ + 7  # what one look at SysTick costs: 4 us, and a part of one that must not get lost
BYTE_US = 87
SLICE = 200  # instructions between two looks of the model at its own events
INTERRUPT_MAX = 4000  # instructions


def build() -> None:
    """The image as `make` builds it; raises with the compiler's words if it does not."""
    make = ["make", "-s", "-C", str(FIRMWARE), "nucleo-f103rb"]
    subprocess.run(make, check=True, capture_output=True, text=True)


def symbols() -> dict[str, int]:
    """Address of every symbol of the image."""
    lines = subprocess.run(["arm-none-eabi-nm", str(ELF)], check=True, capture_output=True, text=True).stdout
    return {name: int(address, 16) for address, _, name in re.findall(r"^(\w+) (\w) (\S+)$", lines, re.MULTILINE)}


@dataclass(frozen=True)
class Pin:
    """One row of pins.h."""

    signal: str
    port: str
    bit: int
    mode: str
    header: str
    meaning: str


def pin_table() -> list[Pin]:
    """The rows of pins.h."""
    row = r'X\((\w+), ([A-E]), (\d+), (\w+), "(\w+)", "([^"]+)"\)'
    found = re.findall(row, (PORT / "pins.h").read_text(encoding="utf-8"))
    return [Pin(signal, port, int(bit), mode, header, meaning) for signal, port, bit, mode, header, meaning in found]


@dataclass
class Gpio:
    """One port: two configuration registers, output latch, levels from outside."""

    cr: list[int] = field(default_factory=lambda: [0x4444_4444, 0x4444_4444])
    odr: int = 0
    driven: dict[int, bool] = field(default_factory=dict)  # inputs that something outside drives

    def mode(self, bit: int) -> int:
        return self.cr[bit // 8] >> (4 * (bit % 8)) & 0xF

    def level(self, bit: int) -> bool:
        """The level of a pin: driven from inside, from outside, or pulled; a floating one reads as low here."""
        mode = self.mode(bit)
        if mode & 3:
            return bool(self.odr >> bit & 1)
        return self.driven.get(bit, bool(mode == 8 and self.odr >> bit & 1))

    def read(self, offset: int) -> int:
        if offset in (0, 4):
            return self.cr[offset // 4]
        return sum(self.level(bit) << bit for bit in range(16)) if offset == 8 else self.odr

    def write(self, offset: int, value: int) -> None:
        if offset in (0, 4):
            self.cr[offset // 4] = value
        elif offset == 0xC:
            self.odr = value & 0xFFFF
        elif offset == 0x10:
            self.odr = (self.odr & ~(value >> 16) | value & 0xFFFF) & 0xFFFF
        elif offset == 0x14:
            self.odr &= ~value


class Nucleo:
    """One board, from a reset on. Contacts: `contact(signal, closed)`; pins: `high(signal)`."""

    def __init__(self, image: bytes, *, flags: int = PORRSTF | PINRSTF, ram: bytes = b"", lsi_hz: int = 40_000) -> None:
        self.pins = {pin.signal: pin for pin in pin_table()}
        self.gpio = {name: Gpio() for name in GPIO_PORTS}
        self.words: dict[int, int] = {RCC_CSR: flags}
        self.lsi_hz = lsi_hz
        self.cycles = 0
        self.to_board: deque[tuple[int, int, int]] = deque()  # due in us, byte, error flags
        self.from_board: list[int] = []
        self.status = TXE
        self.data = 0
        self.sent_us = 0
        self.key_writes: list[tuple[int, int]] = []  # to IWDG_KR: value, program counter
        self.relay_levels: list[tuple[int, bool, bool]] = []  # us, relay 1, relay 2, whenever one changes
        self.pll_locks = True
        self.line_blocked = False  # what the board wants to send goes nowhere, and takes for ever
        self._cpu = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._cpu.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M3)
        self._cpu.mem_map(FLASH, FLASH_BYTES)
        self._cpu.mem_write(FLASH, image)
        self._cpu.mem_map(RAM, RAM_BYTES)
        self._cpu.mem_write(RAM, ram)
        self._cpu.mem_map(NOWHERE, PAGE)
        for base, size in ((PERIPHERALS, PERIPHERALS_BYTES), (UNIQUE_ID, PAGE), (CORE, PAGE)):
            self._cpu.mmio_map(base, size, self._read, base, self._write, base)
        self._cpu.reg_write(UC_ARM_REG_SP, self.memory(FLASH))
        self._at = self.vector(1)

    # ------------------------------------------------------------------ from outside

    @property
    def now_us(self) -> int:
        return self.cycles // MHZ

    def contact(self, signal: str, closed: bool) -> None:
        pin = self.pins[signal]
        self.gpio[pin.port].driven[pin.bit] = closed

    def high(self, signal: str) -> bool:
        pin = self.pins[signal]
        return self.gpio[pin.port].level(pin.bit)

    def say(self, data: bytes, errors: int = 0) -> None:
        """Put bytes on the line to the board, one behind the other."""
        for byte in data:
            due_us = max(self.now_us, self.to_board[-1][0] if self.to_board else 0) + BYTE_US
            self.to_board.append((due_us, byte, errors))

    def memory(self, address: int) -> int:
        return int.from_bytes(self._cpu.mem_read(address, 4), "little")

    def damage_ram(self, address: int, bit: int) -> None:
        """From now on one bit of a word is stuck at 1."""
        base = address & ~(PAGE - 1)
        content = bytearray(self._cpu.mem_read(base, PAGE))

        def read(_cpu: Uc, offset: int, size: int, _data: object) -> int:
            stuck = 1 << bit if offset == address - base else 0
            return int.from_bytes(content[offset : offset + size], "little") | stuck

        def write(_cpu: Uc, offset: int, size: int, value: int, _data: object) -> None:
            content[offset : offset + size] = value.to_bytes(size, "little")

        self._cpu.mem_unmap(base, PAGE)
        self._cpu.mmio_map(base, PAGE, read, None, write, None)

    def ram(self) -> bytes:
        return bytes(self._cpu.mem_read(RAM, RAM_BYTES))

    def vector(self, number: int) -> int:
        return self.memory(FLASH + 4 * number)

    def jump(self, vector: int) -> None:
        """Go on in an exception's code, as after a fault."""
        self._at = self.vector(vector)

    # ------------------------------------------------------------------ running

    def run_us(self, duration_us: int) -> None:
        """Run until the program has seen this much time go by."""
        end = self.cycles + duration_us * MHZ
        while self.cycles < end:
            self.run_instructions(SLICE)
            self._line()

    def run_instructions(self, count: int) -> None:
        self._cpu.emu_start(self._at | 1, 0, count=count)
        self._at = self._cpu.reg_read(UC_ARM_REG_PC)

    def _line(self) -> None:
        """The USART's side of the line, and its interrupt."""
        control = self.words.get(USART2_CR1, 0)
        if self.to_board and self.to_board[0][0] <= self.now_us:
            overrun = ORE if self.status & RXNE else 0
            _, byte, errors = self.to_board.popleft()
            self.data = self.data if overrun else byte
            self.status |= RXNE | errors | overrun
        if self.now_us - self.sent_us >= BYTE_US and not self.line_blocked:
            self.status |= TXE
        receive, send = self.status & RXNE and control & RXNEIE, self.status & TXE and control & TXEIE
        if (receive or send) and self.words.get(NVIC_ISER1, 0) >> 6 & 1:
            self._interrupt(USART2_VECTOR)

    def _interrupt(self, vector: int) -> None:
        before = self._cpu.context_save()
        self._cpu.reg_write(UC_ARM_REG_LR, NOWHERE | 1)
        self._cpu.emu_start(self.vector(vector), NOWHERE, count=INTERRUPT_MAX)
        assert self._cpu.reg_read(UC_ARM_REG_PC) == NOWHERE, "the interrupt did not return"
        self._cpu.context_restore(before)

    # ------------------------------------------------------------------ registers

    def _read(self, _cpu: Uc, offset: int, _size: int, base: int) -> int:
        address = base + offset
        if address == SYST_CVR:
            self.cycles += LOOK_CYCLES
            return -self.cycles & 0xFF_FFFF
        for name, port in GPIO_PORTS.items():
            if port <= address < port + 0x400:
                return self.gpio[name].read(address - port)
        if address == RCC_CR:
            return self.words.get(RCC_CR, 0) | (1 << 25 if self.pll_locks else 0)
        if address == RCC_CFGR:
            value = self.words.get(RCC_CFGR, 0)
            return value | (value & 3) << 2
        if address == RTC_DIVL:
            return 0x8000 - self.cycles * self.lsi_hz // (MHZ * 1_000_000) % 0x8001
        if address == RTC_CRL:
            return 0x28 if self.words.get(RCC_BDCR) == 0x8200 else 0x20
        if address == USART2_SR:
            return self.status
        if address == USART2_DR:
            self.status &= ~(RXNE | FE | NE | ORE)
            return self.data
        return self.words.get(address, 0)

    def _write(self, cpu: Uc, offset: int, _size: int, value: int, base: int) -> None:
        address = base + offset
        for name, port in GPIO_PORTS.items():
            if port <= address < port + 0x400:
                self.gpio[name].write(address - port, value)
                self._note_relays()
                return
        if address == USART2_DR:
            self.from_board.append(value & 0xFF)
            self.status &= ~TXE
            self.sent_us = self.now_us
        elif address == IWDG_KR:
            self.key_writes.append((value, cpu.reg_read(UC_ARM_REG_PC)))
        elif address == RCC_CSR and value & 1 << 24:
            self.words[RCC_CSR] = value & 0x00FF_FFFF
        else:
            self.words[address] = value

    def _note_relays(self) -> None:
        levels = self.high("RELAY_1"), self.high("RELAY_2")
        if not self.relay_levels or self.relay_levels[-1][1:] != levels:
            self.relay_levels.append((self.now_us, *levels))


# ------------------------------------------------------------------ the host's side of the line


def crc(unit: int, data: bytes) -> int:
    """CRC-32/AUTOSAR over the unit number and `data`."""
    return crc_of_program(bytes([unit]) + data)


def crc_of_program(data: bytes) -> int:
    """CRC-32/AUTOSAR, bit by bit."""
    value = 0xFFFF_FFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (p.CRC_REFLECTED if value & 1 else 0)
    return value ^ 0xFFFF_FFFF


class Host:
    """A guard at the other end: answers every status frame, ten milliseconds later."""

    def __init__(self, board: Nucleo, unit: int = 1) -> None:
        self.board, self.unit = board, unit
        self.command, self.rest = p.COMMAND_STOP, p.REST_YES
        self.session = self.seq = self.challenge = self.state = self.inputs = 0
        self.events: dict[int, int] = {}  # cause of every stop event, by number
        self.pages: dict[int, bytes] = {}
        self._buffer = b""

    def beat(self) -> None:
        """One heartbeat, the answer to the latest challenge."""
        seq = self.seq + 1 & 0xFFFF
        progress = self.challenge
        for token in p.TOKENS:
            progress = (progress << p.PROGRESS_ROTATE | progress >> 32 - p.PROGRESS_ROTATE) & 0xFFFF_FFFF ^ token
        numbers = self.session.to_bytes(2, "little") + seq.to_bytes(2, "little")
        answer = crc(self.unit, progress.to_bytes(4, "little") + numbers)
        body = bytes([p.SYNC_HOST, p.TYPE_HEARTBEAT, self.command, self.rest]) + numbers + answer.to_bytes(4, "little")
        self.board.say(body + crc(self.unit, body).to_bytes(4, "little"))

    def listen(self) -> None:
        """Take what the board has sent; every byte must belong to a sound frame."""
        self._buffer += bytes(self.board.from_board)
        self.board.from_board.clear()
        while len(self._buffer) >= p.FRAME_BYTES:
            frame, self._buffer = self._buffer[: p.FRAME_BYTES], self._buffer[p.FRAME_BYTES :]
            assert frame[0] == p.SYNC_MCU, frame.hex()
            assert int.from_bytes(frame[12:], "little") == crc(self.unit, frame[:12]), frame.hex()
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        if frame[1] == p.TYPE_STATUS:
            self.state, self.inputs = frame[2], frame[3]
            self.session, self.seq = int.from_bytes(frame[4:6], "little"), int.from_bytes(frame[6:8], "little")
            self.challenge = int.from_bytes(frame[8:12], "little")
        else:
            self.pages[frame[2]] = frame
            if frame[2] >= p.PAGE_EVENT and frame[3]:
                self.events[int.from_bytes(frame[4:6], "little")] = frame[3]

    def talk_us(self, duration_us: int) -> None:
        """Beat every ten milliseconds for this long."""
        for _ in range(duration_us // 10_000):
            self.beat()
            self.board.run_us(10_000)
            self.listen()
