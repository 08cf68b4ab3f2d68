"""One file a command: its name is the file's, `run` does it, `PURPOSE` and `EXAMPLES` are for its page of --help."""
