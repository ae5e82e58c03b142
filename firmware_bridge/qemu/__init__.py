"""Parts of the emulated board: machine, relays, symbols. `firmware_bridge.qemu_board` puts them together."""
