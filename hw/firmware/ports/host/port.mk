# The firmware's core as a shared library for tests, with ports/host/port.c as its board.
host: $(OUT)/libestop.so

$(OUT)/libestop.so: $(CORE) ports/host/port.c $(HEADERS) | $(OUT)
	$(CC) $(STRICT) -O2 -g -fPIC -shared -Icore -o $@ $(CORE) ports/host/port.c
