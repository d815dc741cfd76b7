"""Several runs that answer one question: over seeds, or a search. Each is an ordinary run in a process of its own."""
