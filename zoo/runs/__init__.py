"""What remains: names become objects and go through the loop; a run's directory, its checkpoints, its resumption."""
