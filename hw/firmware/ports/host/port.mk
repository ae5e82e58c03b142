# The firmware's core as a shared library for tests, with ports/host/port.c as its board, and beside it what runs the
# core from scripts (driver.c) and through all of its states (abstraction.c, search.c).
HOST_SOURCES := $(addprefix ports/host/,port.c driver.c abstraction.c search.c)
HOST_HEADERS := $(addprefix ports/host/,driver.h abstraction.h search.h)
host: $(OUT)/libestop.so

# Renamed at the end: whoever loads the library while it is being built gets the old or the new one, never a half.
$(OUT)/libestop.so: $(CORE) $(HOST_SOURCES) $(HOST_HEADERS) $(HEADERS) ports/host/port.mk | $(OUT)
	$(CC) $(STRICT) -O2 -g -fPIC -fno-semantic-interposition -shared -Icore -Iports/host -o $@.$$$$ $(CORE) $(HOST_SOURCES) && mv $@.$$$$ $@
