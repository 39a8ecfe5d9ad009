"""Jobs that the tests start in processes of their own."""

import time

from safeneuron.errors import UserError
from safeneuron.runs import store
from safeneuron.runs.worker import Reporter


def short(report: Reporter) -> None:
    """Say what the environment is, and end."""
    import os

    report("Working", 0.0)
    store.put_json(
        report.run_id, "environment", dict(os.environ) | {"session": os.getsid(0), "home": str(store.runs_folder())}
    )
    report("Working", 1.0)


def endless(report: Reporter) -> None:
    """Work until cancelled."""
    while True:
        report("Working", 0.5)
        time.sleep(0.02)


def mistaken(report: Reporter) -> None:
    """Fail with a sentence for people."""
    report("Working", 0.5)
    raise UserError("The file is empty; give another.")


def defective(report: Reporter) -> None:
    """Fail as a bug does."""
    report("Working", 0.5)
    raise ZeroDivisionError("division by zero")
