"""One file a command: its name is the file's, `run` does it, `EPILOG` shows an example."""
