"""`python -m service` is `parley`."""

from service.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
