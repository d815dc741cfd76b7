"""What happened, told to people: kept evaluations, statistics, and pages. Plain data: nothing here imports torch."""
