"""Text encoders that share a family's name, such as EmbeddingGemma: they make vectors, not answers."""

from safeneuron.models.layout import Refused

REFUSED = Refused(
    model_types=(),
    fields=("use_bidirectional_attention",),
    reason="its attention looks both ways, so it is a text encoder, which answers no prompts",
)
