"""timm's optimizers that step without a closure and run anywhere, copied from timm's list, which imports torch."""

from __future__ import annotations

from typing import NamedTuple


class Optimizer(NamedTuple):
    """An entry: what it is, in timm's words, and defaults that suit small networks."""

    summary: str
    lr: float
    weight_decay: float = 0.0


# LARS and LAMB adapt a layer's rate only where weight decay is not 0, so that they come with some.
OPTIMIZERS = {
    "adabelief": Optimizer("timm: Adapts learning rate based on gradient prediction error.", 0.003),
    "adadelta": Optimizer("timm: Torch's Adadelta, Adapts learning rates based on running windows of gradients.", 1.0),
    "adafactor": Optimizer("timm: Memory-efficient implementation of Adam with factored gradients.", 0.01),
    "adafactorbv": Optimizer(
        "timm: Big Vision variant of Adafactor with factored gradients, half precision momentum.", 0.01
    ),
    "adafactorbvc": Optimizer(
        "timm: Adafactor Big Vision with corrected weight decay (lr^2/max_lr or lr/max_lr scaling).", 0.01
    ),
    "adagrad": Optimizer("timm: Torch's Adagrad, Adapts learning rates using cumulative squared gradients.", 0.02),
    "adam": Optimizer("timm: Torch's Adam, Adaptive Moment Estimation.", 0.003),
    "adamax": Optimizer("timm: Torch's Adamax, Adam with infinity norm for more stable updates.", 0.004),
    "adamc": Optimizer("timm: AdamW with corrected weight decay (lr^2/max_lr scaling).", 0.003),
    "adamp": Optimizer("timm: Adam with built-in projection to unit norm sphere.", 0.003),
    "adamuon": Optimizer(
        "timm: AdaMuon: Muon with adaptive second moment estimation on orthogonalized directions.", 0.01
    ),
    "adamw": Optimizer("timm: Torch's AdamW, Adam with decoupled weight decay.", 0.003),
    "adamwlegacy": Optimizer("timm: Legacy impl of AdamW that pre-dates inclusion to torch.optim.", 0.003),
    "adan": Optimizer("timm: Adaptive Nesterov Momentum Algorithm.", 0.003),
    "adanw": Optimizer("timm: Adaptive Nesterov Momentum with decoupled weight decay.", 0.003),
    "adopt": Optimizer("timm: Modified Adam that can converge with any beta2 with the optimal rate.", 0.003),
    "adoptc": Optimizer("timm: Adopt with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.003),
    "adoptw": Optimizer(
        "timm: Modified AdamW (decoupled decay) that can converge with any beta2 with the optimal rate.", 0.003
    ),
    "cadafactor": Optimizer("timm: Cautious Adafactor.", 0.01),
    "cadafactorbv": Optimizer("timm: Cautious Big Vision Adafactor.", 0.01),
    "cadafactorbvc": Optimizer("timm: Cautious Adafactor Big Vision with corrected weight decay.", 0.01),
    "cadamc": Optimizer("timm: Cautious AdamW with corrected weight decay (lr^2/max_lr scaling).", 0.003),
    "cadamp": Optimizer(
        "timm: Add the spherical cautious optimizer and the standard cautious optimizer to AdamP.", 0.003
    ),
    "cadamw": Optimizer("timm: Cautious AdamW.", 0.003),
    "cadan": Optimizer("timm: Cautious Adaptive Nesterov Momentum Algorithm.", 0.003),
    "cadanw": Optimizer("timm: Cautious Adaptive Nesterov Momentum with decoupled weight decay.", 0.003),
    "cadopt": Optimizer("timm: Cautious Adopt.", 0.003),
    "cadoptc": Optimizer("timm: Cautious Adopt with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.003),
    "cadoptw": Optimizer("timm: Cautious AdoptW (decoupled decay).", 0.003),
    "clamb": Optimizer("timm: Cautious LAMB.", 0.01, 0.01),
    "clambw": Optimizer("timm: Cautious LAMB with decoupled weight decay.", 0.01, 0.01),
    "claprop": Optimizer("timm: Cautious LaProp.", 0.003),
    "clion": Optimizer("timm: Cautious Lion.", 0.001),
    "clionc": Optimizer("timm: Cautious Lion with corrected weight decay (lr^2/max_lr scaling).", 0.001),
    "cmars": Optimizer("timm: Cautious MARS.", 0.003),
    "cnadamc": Optimizer("timm: Cautious NAdamW with corrected weight decay (lr^2/max_lr scaling).", 0.003),
    "cnadamw": Optimizer("timm: Cautious NAdamW.", 0.003),
    "crmsproptf": Optimizer("timm: Cautious TensorFlow-style RMSprop.", 0.001),
    "csgdc": Optimizer("timm: Cautious SGD with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.05),
    "csgdp": Optimizer("timm: Add the spherical cautious optimizer and the standard cautious optimizer to SGDP.", 0.05),
    "csgdw": Optimizer("timm: Cautious SGD with decoupled weight decay and Nesterov momentum.", 0.05),
    "lamb": Optimizer("timm: Layer-wise Adaptive Moments for batch optimization.", 0.01, 0.01),
    "lambc": Optimizer("timm: LAMB with trust ratio clipping for stability.", 0.01, 0.01),
    "lambcd": Optimizer("timm: LAMB with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.01, 0.01),
    "lambcw": Optimizer("timm: LAMB with trust ratio clipping for stability and decoupled decay.", 0.01, 0.01),
    "lambw": Optimizer("timm: LAMB with decoupled weight decay.", 0.01, 0.01),
    "laprop": Optimizer("timm: Separating Momentum and Adaptivity in Adam.", 0.003),
    "lapropc": Optimizer("timm: LaProp with corrected weight decay (lr^2/max_lr scaling).", 0.003),
    "larc": Optimizer("timm: LARS with trust ratio clipping for stability.", 0.3, 0.0001),
    "lars": Optimizer("timm: Layer-wise Adaptive Rate Scaling.", 0.3, 0.0001),
    "lion": Optimizer("timm: Evolved Sign Momentum optimizer for improved convergence.", 0.001),
    "lionc": Optimizer("timm: Lion with corrected weight decay (lr^2/max_lr scaling).", 0.001),
    "madgrad": Optimizer("timm: Momentum-based Adaptive gradient method.", 0.003),
    "madgradw": Optimizer("timm: MADGRAD with decoupled weight decay.", 0.003),
    "mars": Optimizer("timm: Unleashing the Power of Variance Reduction for Training Large Models.", 0.003),
    "momentum": Optimizer("timm: Torch's Stochastic Gradient Descent (SGD) with classical momentum.", 0.05),
    "muon": Optimizer("timm: MomentUm Orthogonalized by Newton-schulz with AdamW fallback for 1D params.", 0.003),
    "nadam": Optimizer("timm: Torch's NAdam, Adam with Nesterov momentum.", 0.003),
    "nadamc": Optimizer("timm: NAdamW with corrected weight decay (lr^2/max_lr scaling).", 0.003),
    "nadamlegacy": Optimizer("timm: Legacy impl of NAdam that pre-dates inclusion in torch.optim.", 0.003),
    "nadamuon": Optimizer("timm: AdaMuon with Nesterov momentum and NAdamW fallback for 1D params.", 0.01),
    "nadamw": Optimizer(
        "timm: Adam with Nesterov momentum and decoupled weight decay, mlcommons/algorithmic-efficiency impl.", 0.003
    ),
    "nesterov": Optimizer("timm: Torch's Stochastic Gradient Descent (SGD) with Nesterov momentum.", 0.05),
    "nesterovw": Optimizer("timm: SGD with decoupled weight decay and Nesterov momentum.", 0.05),
    "nlarc": Optimizer("timm: LARS with Nesterov momentum & trust ratio clipping.", 0.3, 0.0001),
    "nlars": Optimizer("timm: LARS with Nesterov momentum.", 0.3, 0.0001),
    "nmuon": Optimizer(
        "timm: MomentUm Orthogonalized by Newton-schulz with Nesterov and NAdamW fallback for 1D params.", 0.003
    ),
    "novograd": Optimizer("timm: Normalized Adam with L2 norm gradient normalization.", 0.01),
    "novogradc": Optimizer("timm: NovoGrad with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.01),
    "novogradw": Optimizer("timm: NovoGrad with decoupled weight decay.", 0.01),
    "radabelief": Optimizer("timm: Rectified AdaBelief with variance adaptation.", 0.003),
    "radam": Optimizer("timm: Torch's RAdam, Rectified Adam with variance adaptation.", 0.003),
    "radamlegacy": Optimizer("timm: Legacy impl of RAdam that predates inclusion in torch.optim.", 0.003),
    "radamw": Optimizer(
        "timm: Torch's RAdamW, Rectified Adam with variance adaptation and decoupled weight decay.", 0.003
    ),
    "rmsprop": Optimizer("timm: Torch's RMSprop, Root Mean Square Propagation.", 0.0005),
    "rmsproptf": Optimizer("timm: TensorFlow-style RMSprop implementation, Root Mean Square Propagation.", 0.001),
    "rmsproptfc": Optimizer(
        "timm: RMSprop TF-style with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.0005
    ),
    "rmsproptfw": Optimizer("timm: TensorFlow-style RMSprop with decoupled weight decay.", 0.001),
    "sgd": Optimizer("timm: Torch's Stochastic Gradient Descent (SGD) with Nesterov momentum.", 0.05),
    "sgdc": Optimizer("timm: SGD with corrected decoupled weight decay (lr^2/max_lr scaling).", 0.05),
    "sgdp": Optimizer("timm: SGD with built-in projection to unit norm sphere.", 0.05),
    "sgdw": Optimizer("timm: SGD with decoupled weight decay and Nesterov momentum.", 0.05),
}

NEED_SECOND_ORDER = ("adahessian",)
"""Left out: it needs a backward pass that can be differentiated again."""

NEED_A_PACKAGE = ("bnb", "fused", "kron")
"""Left out: names that begin so belong to bitsandbytes and NVIDIA's apex, which timm only passes on to, and to Kron,
whose products of many tensors take minutes and gigabytes without opt_einsum."""
