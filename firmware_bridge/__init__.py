"""The host's side of the emergency stop device.

`wire` decodes frames, `link` is a conversation without I/O, `serial_port` the port, `facts` what is known in words;
`session`, `selftest` and `command` are the `safetykit bridge` commands. `button` and `gpio_chip` read a button on this
computer's own pins. `qemu_board` is the firmware on an emulated board, for tests and demos.

The heartbeats themselves are not made here but in the guard's compiled loop: `safetykit.core.heartbeat` and
`safetykit.runtime.device`.
"""
