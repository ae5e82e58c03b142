"""The emergency-stop demo: guard, firmware on an emulated board, a rover between them, and nine ways to stop it."""
