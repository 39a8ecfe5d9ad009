"""The steps in which a score's threshold moves: what a slider, a dragged line and a link can say."""

from math import floor, log10

from safeneuron.scores.score import Score

LARGEST_STEP = 0.1


def threshold_step(score: Score) -> float:
    """Return a hundredth of the score's range, rounded down to a power of ten, and 0.1 at most."""
    return min(LARGEST_STEP, 10.0 ** floor(log10(score.highest_threshold / 100)))


def in_steps(score: Score, value: float) -> float:
    """Return the threshold nearest to a value that the score's slider can show."""
    digits = round(-log10(threshold_step(score)))
    return round(min(max(value, 0.0), score.highest_threshold), digits)


def threshold_words(threshold: float) -> str:
    """Return a threshold as texts say it: 6.0, 1.3, 0.03."""
    return f"{threshold:.1f}" if abs(threshold - round(threshold, 1)) < 0.002 else f"{threshold:.2f}"
