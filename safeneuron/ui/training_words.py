"""What the words of training and of its runs mean, shown behind the question marks of the pages."""

MASKED_DPO = (
    "Masked DPO: preference training in which the parameters of the safety neurons stay constant, "
    "so that the model must carry safety elsewhere too (SafeNeuron, Algorithm 1)."
)
BETA = (
    "DPO's inverse temperature: the higher, the more a departure from the untrained model's answers costs. The paper "
    "has 0.1."
)
WEIGHT_DECAY = (
    "AdamW's decay of all weights towards 0; the frozen ones are put back after each step. The paper has 0.05."
)
ZEROING_SHARE = (
    "In so many of the steps the set is switched off while the model learns; 1 is every step, as in the paper. What is "
    "learned without the set adds to what the set does, so a model trained only so refuses too much; the other steps "
    "teach both together."
)
CHOSEN_WEIGHT = (
    "Beside DPO's loss, how much the likelihood of the preferred answers counts. DPO compares two answers and may make "
    "both unlikely; this holds the preferred one up. 0 is the paper's."
)
THREADS = (
    "The run's share of the cores, so that the pages have the others. With all of them a run is faster, and the pages "
    "are many times slower while it works."
)
COMPARED_TOKENS = (
    "Only so many tokens of both answers count, from their beginning; 0 is all, as in the paper. Whether a model "
    "refuses is decided in its first words."
)
CLIPPING = "A step's whole gradient is scaled down to this length, so that no single step goes too far; 0 leaves it."
LORA = (
    "0 trains the weights themselves. Above 0 a LoRA adapter, two thin matrices B A beside each linear module, is "
    "trained and merged at the end. It takes a third of the memory. The frozen neurons' rows of B and columns of A "
    "stay 0, so that merging does not touch them."
)
CHECKPOINTS = (
    "Whatever happens to the run, it can be resumed from its last checkpoint and ends as if nothing had happened. 0 "
    "writes one only when you cancel it."
)
REMAINING = (
    "At the pace so far, and by how long each phase usually takes; a run that was resumed seems faster at first."
)
ROUNDS = (
    "Training moves safety to other neurons. Each round finds the safety neurons of the model as it is by then, adds "
    "them to those found before, freezes all of them and trains again (the paper's T1, T2, T3)."
)
STOP_WHEN_FLAT = (
    "No further round once the last one has not raised the refusal rate with FULL, found anew, switched off."
)
EVALUATE_EVERY = (
    "How much is refused meanwhile, with nothing, ES, SAS, FULL and as many random neurons switched off: 16 harmful "
    "and 16 benign prompts, judged by the first token alone. 0 measures only at the end of the round."
)
EVALUATION_PROMPTS = (
    "Harmful test prompts that are answered under five ablations; benign prompts and twins in proportion."
)
SAFETY_SHARE = (
    "Of your own pairs: so many are safety pairs, the rest general ones, against over-refusal. Which is which is told "
    "by the files' formats or the column kind. The paper has 0.3; left open, all are taken."
)
EPOCHS = "Passes over the pairs. If given, the number of steps follows from it."
PAIRS_LIMIT = "So many of your own pairs at most, drawn at random."
DOWN_COLUMN = (
    "A neuron's row of the gate and up projections decides when it is active, its column of the down-projection what "
    "it then writes. The paper does not say whether the column is frozen."
)
CONTROL = (
    "A run beside the run that tells what the frozen set does: the same pairs, seed and settings with nothing frozen "
    "(plain DPO), or with random neurons."
)
FORWARD_ZEROING = (
    "While it trains, the frozen neurons' activations are zero, so the model must learn to refuse without them."
)
PAIRS = (
    "A prompt with a better and a worse answer. Harmful: a refusal is better than what the model says with FULL "
    "switched off. Safe twins and benign: the model's own answer is better than a refusal."
)
OWN_PAIRS = (
    "Columns prompt, chosen (the better answer) and rejected, as texts or messages, and, if you like, kind (harmful, "
    "twin or benign); or a file of PKU-SafeRLHF, HH-RLHF, SPA-VL or ultrafeedback_binarized as it is. The run then "
    "trains on these and builds none. Duplicates, pairs that are too long, and prompts of the evaluation are left out."
)
TWINS = "Safe twins share words with a harmful prompt and deserve an answer: 'How do I kill a process on Linux?'"
REPORT_TO = (
    "The trainer's curves go to the run store in any case, and here too. The package has to be installed "
    "(pip install tensorboard, wandb or trackio)."
)
MOVED = (
    "The safety neurons are found anew on the model after each round. There the parent's are switched off, and its own "
    "ones. Where the parent's no longer carry the refusals, safety has moved, or is in more places than before."
)
CHANGED = "A neuron counts when any weight of its gate row, up row or down column differs."
STATIC = "The trained model with the parent's neurons switched off."
ADAPTIVE = "The trained model with neurons switched off that were found on it anew: the stricter test."
FROZEN = "Rows and columns of weights that belong to the frozen neurons, compared bit for bit with their start."
PARTITION = "The group of machines that Slurm takes a node from; `sinfo` lists them."
SLURM_HOURS = "Then Slurm ends the run. It writes a checkpoint before, and can be resumed."
NODES = "Machines that train together, each with so many GPUs; all of them have to reach the workspace."
SHARDING = (
    "Data-parallel training: every GPU has its share of each batch. With the whole model on each (DDP) it is fastest; "
    "with a shard of it on each (FSDP2) a model can be larger than one GPU's memory."
)
