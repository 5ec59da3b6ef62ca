"""The commands of the command line, each in the file of its name.

A file has one `app` with one command, and is imported when that command is asked for. The function
reads what was typed (the types of its options: `options`, `completion`, or above it), asks the
journal, the crontabs (`in_force`) or the running daemon (`client`, `by_hand`), and prints with
`output`: with --json the rows of `json_rows`, else what a `..._view` makes of it. Notes and
problems go to standard error. What is refused is raised as a MeridianError.

A new command takes a file here, its name in `Commands.groups`, and tests in tests/cli.
"""
