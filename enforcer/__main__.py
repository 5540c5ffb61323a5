"""`python -m enforcer` is the same as the console script `enforcer`."""

from enforcer.command.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
