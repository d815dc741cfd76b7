"""New plugins: complete distributions, made from templates that are working code. Never imports torch."""
