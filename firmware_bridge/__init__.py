"""The host's side of the link to the emergency-stop microcontroller.

Nothing here yet: the wire format, the sans-I/O session and the serial port come with the firmware. Until then the
guard has no hardware behind it that opens the power relay when the guard itself dies.
"""
