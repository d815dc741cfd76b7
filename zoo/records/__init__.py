"""What remains of a run on the disk: its directory, checkpoints, lock and history. Knows no training."""
