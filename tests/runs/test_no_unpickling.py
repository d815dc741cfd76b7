"""Nothing that a checkpoint is made of is pickled, and nothing that is read is unpickled."""

from __future__ import annotations

from pathlib import Path

from worlds import alone

SAVE_AND_LOAD = """
import sys, warnings
from pathlib import Path

seen = []
warnings.simplefilter("error")
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)) if event.startswith("pickle") else None)

import torch
from zoo.records.checkpoints import CheckpointStore
from zoo.records.lock import RunLock
from zoo.records.optimizer_state import pack, unpack
from zoo.training.optimizer_trial import check_packable

model = torch.nn.Linear(3, 2)
parameters = dict(model.named_parameters())
optimizer = torch.optim.AdamW(model.parameters())
check_packable(optimizer, parameters)
model(torch.ones(1, 3)).sum().backward()
optimizer.step()
seen.clear()  # torch itself may unpickle what it brought along while it is imported

root = Path(sys.argv[1])
tensors, data = pack(optimizer, parameters)
with RunLock(root):
    store = CheckpointStore(root / "checkpoints")
    store.save(1, tensors={"model": model.state_dict(), "optimizer": tensors}, state={"optimizer": data})
checkpoint = CheckpointStore(root / "checkpoints").newest()
model.load_state_dict(checkpoint.tensors("model"))
unpack(optimizer, parameters, checkpoint.tensors("optimizer"), checkpoint.state["optimizer"])
assert not seen, seen

import pickle
pickle.loads(pickle.dumps(Path))
assert [event for event, _ in seen] == ["pickle.find_class"], "the hook sees what it looks for"
"""


def test_an_audit_hook_sees_no_unpickling_when_a_checkpoint_is_saved_and_loaded(tmp_path: Path) -> None:
    """And it would have seen it: at the end, one class is unpickled on purpose."""
    done = alone(SAVE_AND_LOAD, tmp_path, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert path.suffix in (".safetensors", ".json")
            assert not path.read_bytes().startswith((b"\x80", b"PK"))


def test_nothing_is_unpickled_in_any_command(tmp_path):
    """An audit hook sees no `pickle.find_class`, and nobody calls torch.load, while a run is trained and shared."""
    done = alone(
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(args) if event == 'pickle.find_class' else None)\n"
        "import torch, zoo\n"
        "from PIL import Image\n"
        "from zoo.cli import main\n"
        "Image.new('L', (28, 28)).save('black.png')\n"
        "small = ['--epochs', '1', '--threads', '1', '--set', 'data.limit=64', '--quiet', '--out', 'run']\n"
        "assert main(['train', '--model', 'cnn', *small]) == 0\n"
        "assert main(['train', '--model', 'cnn', '--set', 'model.pretrained=run', *small[:-1], 'tuned']) == 0\n"
        "seen.clear()  # what torch unpickles of its own while it is imported\n"
        "torch.load = None\n"
        "commands = ['train --resume run', 'evaluate run', 'predict run black.png', 'runs .']\n"
        "commands += ['publish run shared --quiet', 'evaluate shared', 'reproduce shared --quiet --out again']\n"
        "commands += ['predict shared/model.safetensors black.png', 'predict weights:cnn_dropout-mnist black.png']\n"
        "commands += ['train --model cnn --set model.pretrained=shared ' + ' '.join(small[:-1]) + ' shared-tuned']\n"
        "for command in map(str.split, commands):\n"
        "    assert main(command) == 0, command\n"
        "assert zoo.load('shared')('black.png').label == zoo.load('run')('black.png').label\n"
        "assert not seen, seen\n",
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
