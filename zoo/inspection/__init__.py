"""What a model takes, told without training it: its smallest input, and the pixels that reach its logits."""
