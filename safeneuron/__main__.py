"""``python -m safeneuron``."""

from safeneuron.cli import app

app(prog_name="python -m safeneuron")
