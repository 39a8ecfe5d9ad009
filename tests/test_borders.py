"""Who may import what (design.md, "Borders"), read from the syntax trees, so that hidden imports count too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MATHEMATICS = {"numpy", "scipy", "math", "statistics", "random"}
REDUCTIONS = set(
    "mean sum std var median quantile max min argmax argmin argsort abs nlargest nsmallest cumsum dot clip".split()
)
"""Methods of arrays and tables that make numbers out of numbers."""
HEAVY = {"torch", "transformers", "transformer_lens", "trl", "peft", "datasets", "accelerate"}


def imported(path):
    """Return the first part of every absolute module that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {str(value.value).split(".")[0] for value in node.args if isinstance(value, ast.Constant)}
    return found


def files(*patterns):
    found = sorted(path for pattern in patterns for path in ROOT.glob(pattern) if "__pycache__" not in path.parts)
    assert found, patterns
    return found


def offenders(paths, forbidden):
    return {str(path.relative_to(ROOT)): bad for path in paths if (bad := imported(path) & forbidden)}


def test_nothing_but_ui_imports_streamlit():
    core = [path for path in files("safeneuron/**/*.py") if path.relative_to(ROOT / "safeneuron").parts[0] != "ui"]
    assert offenders(core, {"streamlit"}) == {}


def test_plots_import_neither_streamlit_nor_models():
    assert offenders(files("safeneuron/plots/**/*.py"), {"streamlit"} | HEAVY) == {}


def test_pages_import_no_models():
    assert offenders(files("pages/**/*.py", "app.py"), HEAVY) == {}


def computed(path):
    """Return every call of a method of an array or table that makes a number, with its line."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REDUCTIONS
    ]


def differences(path):
    """Return every arithmetic on what a call returned a matrix of scores from, with its line."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        if isinstance(node, ast.BinOp)
        for side in (node.left, node.right)
        if isinstance(side, ast.Call) and ast.unparse(side.func).endswith((".values", ".scores")) and side.args
    ]


SHOWN = files("safeneuron/ui/**/*.py", "pages/**/*.py", "app.py")


def test_pages_and_what_they_share_hold_no_mathematics():
    """What a page shows is computed by a function that the command line can call too."""
    assert offenders(SHOWN, MATHEMATICS) == {}
    found = {str(path.relative_to(ROOT)): computed(path) + differences(path) for path in SHOWN}
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_that_mathematics_is_seen(tmp_path):
    path = tmp_path / "x.py"
    for line in ("y = ablated[rows].mean()", "y = (a > 1).sum()", "z = table.harmful.mean.argmax(axis=0)"):
        path.write_text(line)
        assert computed(path), line
    path.write_text("y = table.values(name) - other.values(name)")
    assert differences(path)
    path.write_text("y = max(names)\nz = sum(map(len, prompts))\nx = list(found.values()) + names")
    assert not computed(path) and not differences(path)


def test_the_program_imports_nothing_of_the_tests():
    assert offenders(files("safeneuron/**/*.py", "pages/**/*.py", "app.py"), {"tests", "pytest", "playwright"}) == {}


def test_nothing_is_pickled():
    """What is kept is safetensors, parquet or JSON."""
    assert offenders(files("safeneuron/**/*.py"), {"pickle", "cloudpickle", "joblib", "dill", "shelve"}) == {}


def test_the_borders_are_seen(tmp_path):
    """The reader of imports itself: each of these lines would have to be found."""
    path = tmp_path / "x.py"
    for line in (
        "import streamlit",
        "import streamlit.runtime as x",
        "from streamlit.testing import v1",
        "def f():\n    import streamlit as st",
        "import importlib\nimportlib.import_module('streamlit.web')",
    ):
        path.write_text(line)
        assert "streamlit" in imported(path), line
    path.write_text("from .streamlit import x\nstreamlit = 'streamlit'")
    assert imported(path) == set()


def loaded_after(code):
    """Return the modules that a fresh Python has loaded after running ``code``."""
    script = f"{code}\nimport sys\nprint(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import safeneuron.scoring, safeneuron.models.catalogue",
        "from safeneuron.models.catalogue import catalogue; catalogue()",
        "from safeneuron.scoring import kept_score_table; kept_score_table('unknown')",
        "import safeneuron.robustness, safeneuron.prompts.answers, safeneuron.models.difference, safeneuron.duration",
        "from safeneuron.scores.score import scores; scores()",
        "import safeneuron.significance, safeneuron.agreement, safeneuron.plots.agreement",
        "import safeneuron.cli",
        "import safeneuron.degradation.start, safeneuron.plots.degradation, safeneuron.pictures",
        "import safeneuron.pruning.start, safeneuron.plots.pruning",
        "import safeneuron.selection, safeneuron.sets.kept, safeneuron.sets.changes",
        "import safeneuron.prompts.builtin as b; b.harmful_prompts()",
    ],
)
def test_what_the_first_page_needs_loads_no_torch(code, home):
    assert loaded_after(code) & (HEAVY | {"streamlit"}) == set()


def test_that_check_can_fail(home):
    assert "safetensors" in loaded_after("import safetensors")


@pytest.mark.parametrize("path", files("safeneuron/**/*.py", "pages/**/*.py", "app.py"), ids=lambda p: p.stem)
def test_every_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
