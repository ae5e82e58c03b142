# QEMU's lm3s6965evb, the board of the tests and demos:
#   lm3s6965evb.elf           sealed, with symbols
#   lm3s6965evb-unsealed.elf  what the compiler made; must never leave STOPPED
#   lm3s6965evb-hang.elf      TEST BUILD that hangs on command
# Three times are longer than on silicon, because QEMU is itself taken off the processor by its host: its relays must
# follow within 250 ms, a cycle may come 100 ms late, and each of the two stages of the watchdog lasts 250 ms (50 ms
# gave false resets on a busy machine). Every other time is that of the protocol.
LM3S := $(OUT)/lm3s6965evb
LM3S_TIMES := -DFEEDBACK_US=250000U -DCYCLE_US=100000U -DWATCHDOG_US=250000U
LM3S_SOURCES := $(CORE) $(addprefix ports/lm3s6965evb/,startup.c board.c main.c) $(SHARED)
LM3S_HANG_SOURCES := $(LM3S_SOURCES) ports/lm3s6965evb/hang.c
LM3S_HEADERS := $(HEADERS) $(wildcard ports/lm3s6965evb/*.h ports/shared/*.h)
LM3S_SCRIPT := ports/lm3s6965evb/lm3s6965evb.ld
LM3S_FLAGS := -mcpu=cortex-m3 -mthumb -Os -g3 -ffreestanding -fno-tree-loop-distribute-patterns -ffunction-sections \
  -fdata-sections -fstack-usage -DUNIT=1U $(LM3S_TIMES) -Icore -Iports/shared -Iports/lm3s6965evb
LM3S_LINK := -nostdlib -Wl,--gc-sections,--fatal-warnings,--build-id=none -T $(LM3S_SCRIPT)

lm3s6965evb: $(LM3S).elf $(LM3S)-hang.elf
	@$(CROSS)size $(LM3S).elf

# Linked under another name and moved: nobody ever sees half an image.
$(LM3S).elf: $(LM3S)-unsealed.elf seal_image.py
	@cp $< $@.part
	@$(PYTHON) seal_image.py $@.part
	@mv $@.part $@

$(LM3S)-hang.elf: $(LM3S_HANG_SOURCES:%.c=$(LM3S)-hang/%.o) $(LM3S_SCRIPT) seal_image.py
	@$(CROSS)gcc $(LM3S_FLAGS) $(LM3S_LINK) $(filter %.o,$^) -lgcc -o $@.part
	@$(PYTHON) seal_image.py $@.part
	@mv $@.part $@

$(LM3S)-unsealed.elf: $(LM3S_SOURCES:%.c=$(LM3S)/%.o) $(LM3S_SCRIPT)
	@$(CROSS)gcc $(LM3S_FLAGS) $(LM3S_LINK) -Wl,-Map=$(LM3S).map $(filter %.o,$^) -lgcc -o $@.part
	@mv $@.part $@

$(LM3S)/%.o: %.c $(LM3S_HEADERS) ports/lm3s6965evb/port.mk
	@mkdir -p $(@D)
	@$(CROSS)gcc $(STRICT) $(LM3S_FLAGS) -c $< -o $@

$(LM3S)-hang/%.o: %.c $(LM3S_HEADERS) ports/lm3s6965evb/port.mk
	@mkdir -p $(@D)
	@$(CROSS)gcc $(STRICT) $(LM3S_FLAGS) -DTEST_HANG -c $< -o $@
