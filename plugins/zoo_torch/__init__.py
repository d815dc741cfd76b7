"""What PyTorch itself offers for training, as a plugin of zoo: optimizers, criteria and learning-rate schedulers."""

from __future__ import annotations

from typing import Any

import zoo

OPTIMIZERS = {
    "adamw": ("zoo_torch.adaptive", "Adam with decoupled weight decay, the default."),
    "adam": ("zoo_torch.adaptive", "Steps scaled by running moments of the gradient."),
    "nadam": ("zoo_torch.adaptive", "Adam with Nesterov momentum."),
    "radam": ("zoo_torch.adaptive", "Adam that rectifies the variance of its first steps; needs no warm-up."),
    "adamax": ("zoo_torch.adaptive", "Adam with the largest gradient seen in place of the mean square."),
    "adafactor": ("zoo_torch.adaptive", "Adaptive steps from row and column sums, with little memory."),
    "muon": ("zoo_torch.muon", "Orthogonalised momentum for matrices and convolutions, AdamW for the rest."),
    "sgd": ("zoo_torch.descent", "Stochastic gradient descent with momentum."),
    "asgd": ("zoo_torch.descent", "Stochastic gradient descent that keeps an average beside."),
    "rmsprop": ("zoo_torch.descent", "Steps scaled by the root of the mean squared gradient."),
    "rprop": ("zoo_torch.descent", "Steps from the gradient's sign alone; meant for very large batches."),
    "adagrad": ("zoo_torch.descent", "Steps scaled by the root of the summed squared gradients."),
    "adadelta": ("zoo_torch.descent", "Steps in the units of the parameter, without a rate to choose."),
}

CRITERIA = {
    "cross_entropy": "Negative log-likelihood of the label, with label smoothing and class weights.",
    "bce": "Binary cross-entropy, each class against all others.",
    "mse": "Squared distance of the logits from the one-hot label.",
    "multi_margin": "Hinge: the label's logit must lead each other one by a margin.",
    "focal": "Cross-entropy that counts what is already right less.",
}

SCHEDULERS = {
    "one_cycle": ("zoo_torch.annealing", "Up to the rate, then down to nothing, momentum the other way; the default."),
    "cosine": ("zoo_torch.annealing", "Warm-up, then half a cosine down."),
    "linear": ("zoo_torch.annealing", "Warm-up, then a straight line down."),
    "constant": ("zoo_torch.annealing", "The rate as it is, after a warm-up if wanted."),
    "step": ("zoo_torch.decays", "Times a factor every so many epochs."),
    "multi_step": ("zoo_torch.decays", "Times a factor at each of the given epochs."),
    "exponential": ("zoo_torch.decays", "Times a factor an epoch, smoothly."),
}


@zoo.hookimpl
def register(add: Any) -> None:
    """Register the optimizers, criteria and schedulers."""
    for name, (module, summary) in OPTIMIZERS.items():
        add.optimizer(name, f"{module}:{name}", summary=summary)
    for name, summary in CRITERIA.items():
        add.criterion(name, f"zoo_torch.criteria:{name}", summary=summary)
    for name, (module, summary) in SCHEDULERS.items():
        add.scheduler(name, f"{module}:{name}", summary=summary)
