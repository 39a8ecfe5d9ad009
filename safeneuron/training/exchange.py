"""What a run and the processes that train for it tell each other, as files in one folder that all of them can reach.

Only the main process writes, and only the run reads what it writes; the other way round there are the task, which
lies there before the processes begin, and the wish to stop.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.workspace import write_json


@dataclass(frozen=True)
class Task:
    """What the processes are asked to do, beside the model, the set, the pairs and the checks in the folder.

    Parameters
    ----------
    settings : MaskedDPOSettings
        For all processes together.
    checkpoints : str
        The folder of the run's checkpoints.
    device : str
        ``cpu`` or ``cuda``.
    sharding : str
        ``ddp`` or ``fsdp2``.
    watched : int
        The process that the processes serve; those on its machine end with it, and then Slurm ends the others.
    host : str
        Its machine.
    reference : str or None
        The file of log-probabilities that an earlier round kept.
    """

    settings: MaskedDPOSettings
    checkpoints: str
    device: str
    sharding: str
    watched: int
    host: str
    reference: str | None = None


class Exchange:
    """One folder, with names for what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model, self.neurons, self.pairs = folder / "model", folder / "neurons.json", folder / "pairs.jsonl"
        self.checks = folder / "checks.json"
        self.trained = folder / "trained.safetensors"
        self._task, self._log, self._stop = folder / "task.json", folder / "events.jsonl", folder / "stop"
        self._outcome = folder / "outcome.json"

    def give(self, task: Task) -> None:
        """Write the task down."""
        write_json(self._task, asdict(task))

    def task(self) -> Task:
        """Return the task."""
        facts = json.loads(self._task.read_text(encoding="utf-8"))
        return Task(**facts | {"settings": MaskedDPOSettings(**facts["settings"])})

    def tell(self, event: Mapping[str, Any]) -> None:
        """Append an event, in one write, so that a reader sees whole lines or the beginning of one."""
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def told(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Return the events after so many bytes, and how many bytes there are now."""
        try:
            with self._log.open("rb") as stream:
                stream.seek(offset)
                text = stream.read()
        except FileNotFoundError:
            return [], offset
        whole = text[: text.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], offset + len(whole)

    def stop(self) -> None:
        """Ask the processes to stop after their next step."""
        self._stop.touch()

    def stopping(self) -> bool:
        """Tell whether they were asked to."""
        return self._stop.exists()

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Write down how it ended; of several processes that say so the first counts."""
        staging = self.folder / f"outcome.{os.getpid()}"
        staging.write_text(json.dumps(outcome), encoding="utf-8")
        try:
            os.link(staging, self._outcome)
        except FileExistsError:
            return

    def outcome(self) -> dict[str, Any] | None:
        """Return how it ended, or None where nobody had time to say so."""
        return json.loads(self._outcome.read_text(encoding="utf-8")) if self._outcome.exists() else None
