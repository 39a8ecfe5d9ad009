"""What the self-check found, kept under the model's fingerprint; read by pages without torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.workspace import workspace, write_json

TOLERANCES = {"zeroed_columns": 1e-5, "left_padding": 1e-3, "bridge_activations": 1e-3, "bridge_logits": 1e-3}
"""Largest difference allowed. Zeroed columns multiply the same numbers by the same zeros; padding
and the bridge change the order of float32 sums over up to 30 layers, whose logits reach tens."""

LABELS = {
    "zeroed_columns": "hook ablation : zeroed down-projection columns (logits)",
    "left_padding": "left-padded batch : each prompt alone (logits)",
    "bridge_activations": "plain hook : TransformerBridge hook_post (activations, share of 1 + size)",
    "bridge_logits": "hook ablation : TransformerBridge ablation (logits)",
}


@dataclass(frozen=True)
class ParityReport:
    """Largest absolute differences found, in units of the compared quantity.

    Parameters
    ----------
    zeroed_columns : float
        Logits under hook ablation against logits with the columns set to zero.
    left_padding : float
        Logits of a left-padded batch against each prompt alone, under ablation.
    bridge_activations : float
        ``blocks.{l}.mlp.hook_post`` against the input of the down-projection, all layers; as a share of
        1 + its size, since single neurons of a trained model reach thousands.
    bridge_logits : float
        Logits under hook ablation against the bridge with the same neurons zeroed.
    neurons : int
        How many random neurons were ablated.
    """

    zeroed_columns: float
    left_padding: float
    bridge_activations: float
    bridge_logits: float
    neurons: int

    def failures(self) -> list[str]:
        """Return the comparisons beyond their tolerance; empty means green."""
        # Written so that a NaN, which compares as neither, counts as a failure.
        return [name for name, tolerance in TOLERANCES.items() if not getattr(self, name) <= tolerance]

    @property
    def passed(self) -> bool:
        """Whether every comparison is within its tolerance."""
        return not self.failures()


def kept_parity(model: str) -> ParityReport | None:
    """Return the report of the model with this fingerprint, if it was checked before."""
    path = _path(model)
    return ParityReport(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def keep_parity(model: str, report: ParityReport) -> None:
    """Keep the report of the model with this fingerprint."""
    write_json(_path(model), asdict(report))


def refuse_if_red(card: ModelCard) -> None:
    """Raise :class:`UserError` when the model was checked before and failed."""
    report = kept_parity(card.fingerprint)
    if report is not None and not report.passed:
        failed = "; ".join(LABELS[name] for name in report.failures())
        raise UserError(
            f"{card.title} fails its self-check ({failed}), so its numbers are not shown; "
            f"see the Model page or `python -m safeneuron models check {card.source}`, or choose another model."
        )


def _path(model: str) -> Path:
    return workspace() / "parity" / f"{model}.json"
