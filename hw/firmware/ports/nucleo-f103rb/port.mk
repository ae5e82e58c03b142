# NUCLEO-F103RB (STM32F103RB, Cortex-M3). Built and linked by the tests, NOT run on hardware.
#   st-flash write ../../out/firmware/nucleo-f103rb.bin 0x08000000

NUCLEO := ports/nucleo-f103rb
NUCLEO_UNIT ?= 1
NUCLEO_SOURCES := $(CORE) $(addprefix $(NUCLEO)/,board.c line.c main.c start.c) $(SHARED)
NUCLEO_OBJECTS := $(addprefix $(OUT)/nucleo-f103rb/,$(notdir $(NUCLEO_SOURCES:.c=.o)))
# CYCLE_US: nothing else runs on this board, so a cycle of five milliseconds is late already.
NUCLEO_FLAGS := $(STRICT) -mcpu=cortex-m3 -mthumb -O2 -g -ffreestanding -fno-tree-loop-distribute-patterns -fstack-usage \
  -ffunction-sections -fdata-sections -fno-common -Icore -Iports/shared -I$(NUCLEO) -DUNIT=$(NUCLEO_UNIT)U -DCYCLE_US=5000U

nucleo-f103rb: $(OUT)/nucleo-f103rb.bin

$(OUT)/nucleo-f103rb:
	@mkdir -p $@

$(OUT)/nucleo-f103rb/%.o: core/%.c $(HEADERS) $(NUCLEO)/port.mk | $(OUT)/nucleo-f103rb
	$(CROSS)gcc $(NUCLEO_FLAGS) -c -o $@ $<

$(OUT)/nucleo-f103rb/%.o: $(NUCLEO)/%.c $(HEADERS) $(wildcard $(NUCLEO)/*.h ports/shared/*.h) $(NUCLEO)/port.mk | $(OUT)/nucleo-f103rb
	$(CROSS)gcc $(NUCLEO_FLAGS) -c -o $@ $<

$(OUT)/nucleo-f103rb/%.o: ports/shared/%.c $(HEADERS) $(wildcard ports/shared/*.h) $(NUCLEO)/port.mk | $(OUT)/nucleo-f103rb
	$(CROSS)gcc $(NUCLEO_FLAGS) -c -o $@ $<

$(OUT)/nucleo-f103rb.elf: $(NUCLEO_OBJECTS) $(NUCLEO)/nucleo-f103rb.ld seal_image.py
	$(CROSS)gcc -mcpu=cortex-m3 -mthumb -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -Wl,-Map=$(OUT)/nucleo-f103rb/map \
	  -T $(NUCLEO)/nucleo-f103rb.ld -o $@ $(NUCLEO_OBJECTS) -lgcc
	$(PYTHON) seal_image.py $@ || { rm -f $@; exit 1; }

$(OUT)/nucleo-f103rb.bin: $(OUT)/nucleo-f103rb.elf
	$(CROSS)objcopy -O binary $< $@
