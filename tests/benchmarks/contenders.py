"""One contender of `compare.py peers`, in a process of its own.

It is told over stdin what to train, waits for ``go`` before each epoch, and reports each epoch's seconds on stdout, as
JSON lines. The first epoch warms up. Every contender trains the same model from the same seed with AdamW (lr 0.001,
torch's defaults), the batch size given, shuffled, without validation, checkpoints, loggers or progress bars; each reads
the loss as its own documentation does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

LR = 0.001
clock = time.process_time if os.environ.get("ZOO_BENCH_CLOCK") == "cpu" else time.perf_counter
MODELS = ("mlp", "pytorch_mnist")


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained.

    Attributes:
        model: A name of torch-zoo's.
        batch_size: Images in a batch.
        images: Training images, the first of MNIST.
        epochs: The first is not measured.
        data: A folder with MNIST as torchvision's `MNIST` reads it.
        loader: ``torchvision`` for torchvision's dataset, decoded and normalised an image at a time, as the tutorials
            have it; ``tensors`` for a `TensorDataset` of normalised images, which spares the peers that work.
    """

    model: str
    batch_size: int
    images: int
    epochs: int
    data: str
    loader: str = "torchvision"

    def network(self) -> Any:
        """Return the model, the same for all."""
        import torch

        import zoo

        torch.manual_seed(0)
        return zoo.create("models", self.model, num_classes=10, in_channels=1, image_size=(28, 28))

    def dataset(self) -> Any:
        """Return a torch dataset of (image, label) pairs."""
        import torch

        if self.loader == "tensors":
            return torch.utils.data.TensorDataset(*self.tensors())
        from torchvision import datasets, transforms

        steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        return torch.utils.data.Subset(datasets.MNIST(self.data, train=True, transform=steps), range(self.images))

    def batches(self) -> Any:
        """Return the textbook's loader over `dataset`."""
        import torch

        return torch.utils.data.DataLoader(self.dataset(), batch_size=self.batch_size, shuffle=True)

    def tensors(self) -> tuple[Any, Any]:
        """Return all images, normalised, float32 (N, 1, 28, 28), and labels, int64 (N,)."""
        from torchvision import datasets

        stored = datasets.MNIST(self.data, train=True)
        images = stored.data[: self.images].unsqueeze(1).float().div_(255).sub_(0.1307).div_(0.3081)
        return images, stored.targets[: self.images]


class Gate:
    """Where an epoch begins and ends."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = 0.0
        self.epochs = 0

    def say(self, **message: Any) -> None:
        """Tell the parent process."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def begin(self, *_: Any, **__: Any) -> None:
        """Wait until the parent lets this epoch run, then start the clock."""
        self.say(waiting=True)
        if sys.stdin.readline().strip() != "go":
            raise SystemExit(1)
        self._began = clock()

    def end(self, *_: Any, **__: Any) -> None:
        """Stop the clock and report."""
        self.say(seconds=clock() - self._began)
        self.epochs += 1


def textbook(job: Job, gate: Gate) -> None:
    """The loop that every tutorial has."""
    import torch

    model, batches = job.network(), job.batches()
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    for _ in range(job.epochs):
        gate.begin()
        model.train()
        running_loss = 0.0
        for inputs, labels in batches:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        gate.end()


def tensor_loop(job: Job, gate: Gate) -> None:
    """What one writes by hand who knows that MNIST fits in memory: normalised once, batches by indexing."""
    import torch

    model = job.network()
    images, labels = job.tensors()
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    for _ in range(job.epochs):
        gate.begin()
        model.train()
        running_loss = 0.0
        for chosen in torch.randperm(len(images)).split(job.batch_size):
            optimizer.zero_grad()
            loss = criterion(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        gate.end()


def zoo(job: Job, gate: Gate) -> None:
    """`zoo.train` with its defaults but for the batch size. Timed from the end of an epoch's first step to its last."""
    import tempfile

    import zoo as package

    steps = job.images // job.batch_size

    class Timed(package.Reporter):
        def step(self, progress: Any) -> None:
            if progress.position == 1:
                gate.begin()
            if progress.position == steps:
                gate.end()

    with tempfile.TemporaryDirectory() as folder:
        # The cap comes after the validation images are held out, so all of it is trained on.
        package.train(
            job.model,
            options={"data.limit": job.images},
            batch_size=job.batch_size,
            epochs=job.epochs,
            validation=0.01,
            out=Path(folder) / "run",
            reporter=Timed(),
        )


def lightning(job: Job, gate: Gate) -> None:
    """Lightning's `Trainer.fit` over a `DataLoader`."""
    import torch
    from lightning.pytorch import Callback, LightningModule, Trainer

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = job.network()

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, labels = batch
            return torch.nn.functional.cross_entropy(self.model(inputs), labels)

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=LR)

    class Timed(Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            gate.begin()

        def on_train_epoch_end(self, *_: Any) -> None:
            gate.end()

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        max_epochs=job.epochs, accelerator="cpu", enable_model_summary=False, callbacks=[Timed()], **quiet
    )
    trainer.fit(Module(), job.batches())


def keras(job: Job, gate: Gate) -> None:
    """Keras' `fit` on the torch backend, over arrays in memory, as its own MNIST example does; its own layers."""
    import keras as k

    layers = k.layers
    shape = (28, 28, 1)
    k.utils.set_random_seed(0)
    if job.model == "mlp":
        stack = [layers.Flatten()]
        for _ in range(2):
            stack += [layers.Dense(512, activation="relu"), layers.Dropout(0.2)]
        stack.append(layers.Dense(10))
    else:
        stack = [
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    model = k.Sequential([k.Input(shape), *stack])
    optimizer = k.optimizers.AdamW(learning_rate=LR, weight_decay=0.01)
    model.compile(optimizer, k.losses.SparseCategoricalCrossentropy(from_logits=True))
    timed = k.callbacks.LambdaCallback(on_epoch_begin=gate.begin, on_epoch_end=gate.end)
    images, labels = (tensor.numpy() for tensor in job.tensors())
    model.fit(
        images.reshape(-1, *shape), labels, batch_size=job.batch_size, epochs=job.epochs, verbose=0, callbacks=[timed]
    )


def fastai(job: Job, gate: Gate) -> None:
    """The `Learner.fit` of fastai, over `DataLoaders`."""
    import torch
    from fastai.data.core import DataLoaders
    from fastai.learner import Callback, Learner
    from fastai.optimizer import OptimWrapper

    class Timed(Callback):
        def before_train(self) -> None:
            gate.begin()

        def after_train(self) -> None:
            gate.end()

    def optimizer(params: Any, **options: Any) -> Any:
        return OptimWrapper(params, torch.optim.AdamW, **options)

    first = torch.utils.data.Subset(job.dataset(), range(job.batch_size))  # it wants something to validate on
    loaders = DataLoaders(job.batches(), torch.utils.data.DataLoader(first, batch_size=job.batch_size))
    learner = Learner(
        loaders, job.network(), loss_func=torch.nn.CrossEntropyLoss(), opt_func=optimizer, lr=LR, cbs=[Timed()]
    )
    with learner.no_logging():
        learner.fit(job.epochs)


def ignite(job: Job, gate: Gate) -> None:
    """Ignite's `create_supervised_trainer`."""
    import torch
    from ignite.engine import Events, create_supervised_trainer

    model = job.network()
    trainer = create_supervised_trainer(
        model, torch.optim.AdamW(model.parameters(), lr=LR), torch.nn.CrossEntropyLoss()
    )
    trainer.add_event_handler(Events.EPOCH_STARTED, gate.begin)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, gate.end)
    trainer.run(job.batches(), max_epochs=job.epochs)


def skorch(job: Job, gate: Gate) -> None:
    """The `NeuralNetClassifier` of skorch, over arrays in memory, as its documentation has it."""
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback

    class Timed(Callback):
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            gate.begin()

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            gate.end()

    images, labels = (tensor.numpy() for tensor in job.tensors())
    net = NeuralNetClassifier(
        job.network(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=LR,
        batch_size=job.batch_size,
        max_epochs=job.epochs,
        train_split=None,
        iterator_train__shuffle=True,
        callbacks=[Timed()],
        callbacks__print_log=None,
        verbose=0,
    )
    net.fit(images, labels)


def accelerate(job: Job, gate: Gate) -> None:
    """The textbook loop with what Accelerate's guide changes in it."""
    import torch
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = job.network()
    model, optimizer, batches = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=LR), job.batches())
    criterion = torch.nn.CrossEntropyLoss()
    for _ in range(job.epochs):
        gate.begin()
        model.train()
        running_loss = 0.0
        for inputs, labels in batches:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            accelerator.backward(loss)
            optimizer.step()
            running_loss += loss.item()
        gate.end()


def transformers(job: Job, gate: Gate) -> None:
    """HF `Trainer` around the model."""
    import tempfile

    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = job.network()

        def forward(self, inputs: Any, labels: Any) -> dict[str, Any]:
            logits = self.model(inputs)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    class Timed(TrainerCallback):
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            gate.begin()

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            gate.end()

    def collate(pairs: list[Any]) -> dict[str, Any]:
        images, labels = zip(*pairs, strict=True)
        return {"inputs": torch.stack(images), "labels": torch.tensor(labels)}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=job.epochs,
            per_device_train_batch_size=job.batch_size,
            learning_rate=LR,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
            remove_unused_columns=False,
        )
        Trainer(Module(), arguments, collate, job.dataset(), callbacks=[Timed()]).train()


CONTENDERS: dict[str, tuple[Callable[[Job, Gate], None], str, str]] = {
    # The name in the table: what runs it, the module that must be there, its distribution.
    "textbook loop": (textbook, "torchvision", "torch"),
    "tensor loop": (tensor_loop, "torch", "torch"),
    "zoo": (zoo, "zoo", "torch-zoo"),
    "Lightning": (lightning, "lightning", "lightning"),
    "Keras on torch": (keras, "keras", "keras"),
    "fastai": (fastai, "fastai", "fastai"),
    "Ignite": (ignite, "ignite", "pytorch-ignite"),
    "skorch": (skorch, "skorch", "skorch"),
    "Accelerate": (accelerate, "accelerate", "accelerate"),
    "HF Trainer": (transformers, "transformers", "transformers"),
}


def main() -> None:
    """Serve jobs until stdin ends."""
    contender, module, _ = CONTENDERS[sys.argv[1]]
    # What a framework prints goes to stderr: stdout is the parent's.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    gate = Gate(out)
    try:
        importlib.import_module(module)
    except ImportError as error:
        gate.say(missing=str(error))
        return
    gate.say(ready=True)
    for line in sys.stdin:
        with contextlib.suppress(SystemExit):
            contender(Job(**json.loads(line)), gate)
        gate.say(done=True)


if __name__ == "__main__":
    main()
