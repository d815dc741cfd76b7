"""What happens: the one loop, evaluation, metrics, precision. Knows no names: it takes objects."""
