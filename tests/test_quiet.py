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


def test_weights_that_do_not_fit_are_said_in_our_words_only(home, model_folder):
    config = model_folder / "config.json"
    config.write_text(config.read_text().replace('"intermediate_size": 40', '"intermediate_size": 48'))
    command = [sys.executable, "-m", "safeneuron", "models", "check", str(model_folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert [line.split(" (")[0] for line in done.stderr.splitlines()] == [
        "Opening the model",
        f"Error: The weights in {model_folder} do not fit its config",
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
