"""Every test here has a run store; MLflow takes seconds to make its tables, so that is done once."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's SQLite file with its tables and nothing in them."""
    from safeneuron.runs import tracking

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    tracking._client_of(f"sqlite:///{path}")
    return path


@pytest.fixture
def home(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace for this test alone, but for the tables of its run store."""
    folder = tmp_path / "home"
    (folder / "runs").mkdir(parents=True)
    shutil.copy(empty_database, folder / "runs" / "mlflow.db")
    monkeypatch.setenv("SAFENEURON_HOME", str(folder))
    return folder
