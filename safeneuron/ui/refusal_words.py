"""The words of ablation, of refusals and their judges, and of removing neurons one by one, for tooltips."""

ABLATION_KIND = (
    "Switched off: the activation is 0, as in the paper. At their benign mean: what the neuron does on benign prompts "
    "on average, so that the layers above see a usual value. Times a factor: above 1 amplifies, below 0 turns round."
)
POSITIONS = (
    "Everywhere: in the prompt and in the answer. In the answer only: the model reads the prompt as it is, and only "
    "the tokens that it writes are computed under the ablation; the meter, which reads the prompt, then stays."
)
FACTOR = "What the neurons' activations are multiplied by: 0 switches off, 1 changes nothing, 2 doubles."
LAYER_RANGE = "Of the set, only the neurons in these layers are touched."
SCORES_KEPT = "Those that are computed for this model; others are computed on the Neurons page."
TOP_K = (
    "The k neurons with the highest score, of the whole model. Move it up from 0 and watch at which point refusals go."
)
WRITING = (
    "While this is on, each switch has its answers written behind the meter; the next switch, or turning this off, "
    "stops it at a word. What was complete is kept and never written twice."
)
SECOND_JUDGE = "Another judge for the same answers: those that the two disagree on are listed first."
CONVERSATION = (
    "Marked in yellow: the words that decided the verdict. The purple bar: where an answer first differs from that of "
    "the first column."
)
LOG_ODDS = (
    "Log-odds that the first word of the answer opens a refusal (I, Sorry, Unfortunately). "
    "0 is fifty-fifty; 4.6 is 99 %. It needs one forward pass and no answer."
)
REFUSAL_RATE = (
    "The share of all answers that a judge calls refusals, with its n and 95 % Wilson interval. Empty and incoherent "
    "answers stay in n and are counted apart."
)
JUDGE = (
    "What decides whether an answer is a refusal. 'arditi': one of twelve refusal phrases occurs in it. Others look "
    "for other phrases, read the first token's log-odds, or ask a model; each errs in its own way, see README, Judges."
)
VERDICT = "What an answer is: refused, answered, empty, or incoherent."
INCOHERENT = (
    "An answer that makes no sense: it repeats itself, or the model without the ablation finds it far less likely than "
    "its own answers (perplexity). A broken model has not been made to answer, so this is neither a refusal nor an "
    "answer."
)
OVERRULE = (
    "Your own word in place of the judge's. It is kept for this answer to this prompt, whatever the model, the neuron "
    "set or the judge, and rates are counted with it and say how many were overruled."
)
MODEL_JUDGE = (
    "A model can judge too: type guard:FOLDER, guard:ORG/NAME, llama-guard:FOLDER, ask:FOLDER … It is opened when you "
    "ask it to judge, and released after."
)
DISAGREEMENT = (
    "Answers that two judges see differently are where either may be wrong, so they come first. Cohen's kappa is "
    "their agreement beyond chance: 1 is full, 0 none."
)
DEGRADATION = (
    "Neurons are switched off in the order of a score, the highest first: 1, 2, 4 and so on. The fewer it takes until "
    "refusals go, the fewer neurons carry them."
)
KL = (
    "KL divergence: how far the ablated model's distribution of the next token lies from the whole model's, per token. "
    "0 is no difference."
)
CONTROLS = (
    "Random controls: as many random neurons in every layer as were removed there, drawn at least five times. What "
    "happens under them happens to any neurons."
)
QUICK_CURVE = (
    "The quick curve reads only how the answer's first word opens (log-odds), with KL and perplexity. The curve with "
    "answers generates them and counts refusals."
)
ITERATIVE_PRUNING = (
    "Iterative pruning, as NeuronGuard attacks a defended model (arXiv 2608.23959): find FULL with the thresholds of "
    "the Neurons page, switch it off, find FULL on what is left, switch that off too, five times."
)
PRUNING = (
    "Looks for the smallest part of the set in hand that keeps most of its effect: each neuron is left in place alone, "
    "then all that are not needed. What remains cannot lose any single neuron, which does not rule out that another "
    "small part exists."
)
EFFECT_KEPT = (
    "The subset's change of the mean refusal log-odds, as a share of the whole set's, on the prompts that it was "
    "searched with."
)
