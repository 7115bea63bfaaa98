"""A server that takes stdout for a log, too."""

import minimal

print("Welcome to the chatty server!\n\n{nearly json", flush=True)
minimal.serve()
