"""The command line: one file per command; heavy packages are imported only when a command needs them."""
