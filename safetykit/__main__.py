"""``python -m safetykit``: the same as the console script."""

from safetykit.adapters.cli import main

if __name__ == "__main__":
    main()
