"""Where the processes of one guard instance meet: the run directory and the names of its files."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from safetykit.errors import MailboxError

RUN_DIR_VARIABLE, LOG_DIR_VARIABLE = "SAFETYKIT_RUN_DIR", "SAFETYKIT_LOG_DIR"
COMMAND, FUNCTION, ACTUATOR, RING, STATUS = "command", "function", "actuator", "ring", "status"
OBJECTS = "objects"  # the list of objects around the vehicle
MANUAL = "manual"  # the operator, among the senders of commands
BRIDGE = "bridge"  # what the loop hears from the emergency stop device
GUARD_INFO, POLICY = "guard.json", "policy.json"
CONTROL_CLIENTS = ("cli", "ros", "console", "bridge")

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_SOURCE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def control_name(client: str) -> str:
    """File name of a client's control mailbox. Raises MailboxError for an unknown client."""
    if client not in CONTROL_CLIENTS:
        raise MailboxError(f"control client {client!r}: unknown, expected one of {', '.join(CONTROL_CLIENTS)}")
    return f"control-{client}"


def command_name(sender: str) -> str:
    """File name of the command mailbox of a further voter, or of the operator (MANUAL)."""
    return f"{COMMAND}-{sender}"


def input_name(source: str) -> str:
    """File name of a source's input mailbox. Raises MailboxError for a name that is no file name."""
    if not _SOURCE.fullmatch(source):
        raise MailboxError(f"source {source!r}: cannot be part of a file name")
    return f"input-{source}"


def run_dir(instance: str = "default", *, create: bool = True) -> Path:
    """The instance's run directory, only ours to enter (mode 0700).

    It is ``$SAFETYKIT_RUN_DIR/<instance>``, or ``/dev/shm/safetykit-<uid>/<instance>``: memory, gone after a boot.
    Raises MailboxError: a bad instance name, not there (`create` false), of somebody else, or open to others.
    """
    if not _INSTANCE.fullmatch(instance):
        raise MailboxError(f"instance {instance!r}: expected 1 to 32 letters, digits, '.', '_' or '-'")
    given = os.environ.get(RUN_DIR_VARIABLE)
    base = Path(given) if given else Path(f"/dev/shm/safetykit-{os.geteuid()}")
    path = base / instance
    try:
        if create:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        _check_base(base)
        _check_own(path)
    except FileNotFoundError as error:
        raise MailboxError(f"{path}: not there; is the guard {instance!r} running?") from error
    except OSError as error:
        raise MailboxError(f"{path}: {error.strerror}") from error
    return path


def _check_base(path: Path) -> None:
    """Nobody else may be able to swap the instance directory for another one."""
    info = path.stat()
    if info.st_uid not in (0, os.geteuid()):
        raise MailboxError(f"{path}: belongs to user {info.st_uid}")
    if info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX:
        raise MailboxError(f"{path}: mode {stat.S_IMODE(info.st_mode):04o} lets others write")


def _check_own(path: Path) -> None:
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise MailboxError(f"{path}: not a directory")
    if info.st_uid != os.geteuid():
        raise MailboxError(f"{path}: belongs to user {info.st_uid}, not to {os.geteuid()}")
    if info.st_mode & 0o077:
        raise MailboxError(f"{path}: mode {stat.S_IMODE(info.st_mode):04o} lets others in, expected 0700")


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write atomically, for our eyes only: readers see the old or the new document, never half of one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
    os.replace(partial, path)


def guard_info(directory: Path) -> dict[str, Any]:
    """What the guard says about itself in ``guard.json``: pid, policy, channels, inputs, sources, functions, ...

    Raises MailboxError when there is none or it cannot be read.
    """
    path = directory / GUARD_INFO
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MailboxError(f"{path}: not there; is the guard running?") from error
    except (OSError, ValueError) as error:
        raise MailboxError(f"{path}: cannot read: {error}") from error
    if not isinstance(document, dict):
        raise MailboxError(f"{path}: not a JSON object")
    return document


def log_dir(instance: str = "default") -> Path:
    """The black box: ``$SAFETYKIT_LOG_DIR/<instance>``, or ``~/.local/state/safetykit/log/<instance>``. Not created."""
    given = os.environ.get(LOG_DIR_VARIABLE)
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return (Path(given) if given else state / "safetykit" / "log") / instance
