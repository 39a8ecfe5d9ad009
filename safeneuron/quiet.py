"""What libraries print of themselves, silenced: safeneuron reports its own progress, in its own words.

Bars for loading, converting and writing weights, and notices that one library has for the authors
of another; nobody in front of a terminal can act on either. Errors and warnings of other kinds stay.
"""

import os
import warnings

ENVIRONMENT = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
"""Read by the libraries when they are imported, so this must be set before."""


def quiet_libraries() -> None:
    """Silence this process; for the command line, the pages and runs, which own their process."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning)
