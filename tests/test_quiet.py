"""What a person sees on standard error is safeneuron's own progress and nothing else."""

import subprocess
import sys


def test_only_our_own_lines_are_printed(home, model_folder):
    command = [sys.executable, "-m", "safeneuron", "models", "check", str(model_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["Opening the model"]
    command = [sys.executable, "-m", "safeneuron", "score", "--model", str(model_folder), "--tau-es", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "Opening the model",
        "Reading activations on harmful prompts",
        "Reading activations on benign prompts",
    ]


def test_bars_and_notices_of_libraries_are_off_but_warnings_are_not():
    script = """
import warnings
from safeneuron.quiet import quiet_libraries
quiet_libraries()
import torch
from tqdm.auto import tqdm
for _ in tqdm(range(3), desc="a bar"):
    pass
warnings.warn("a notice", FutureWarning)
warnings.warn("a warning", UserWarning)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "a bar" not in done.stderr and "a notice" not in done.stderr
    assert "UserWarning: a warning" in done.stderr
