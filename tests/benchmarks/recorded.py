"""`envoy-logger run`, whole, on a fast clock: `python -m tests.benchmarks.recorded CLOCK…`."""

from __future__ import annotations

import sys

from logger.__main__ import main

if __name__ == "__main__":
    numbers = [float(text) for text in sys.argv[1:]]
    sys.argv = ["envoy-logger", "run"]
    from logger.clock import FastClock
    from logger.commands import run

    vars(run)["SystemClock"] = lambda: FastClock(*numbers)
    main()
