"""What holds for every test."""

import signal

# Where the suite runs in the background, as under nohup, SIGINT is ignored, and so it would be in every process that a
# test starts and then interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
