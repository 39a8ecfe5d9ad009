"""``python -m safeneuron``."""

import sys

try:
    from safeneuron.cli import app

    app(prog_name="python -m safeneuron")
except KeyboardInterrupt:
    sys.exit("Stopped.")
