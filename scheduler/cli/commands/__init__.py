"""The commands of the command line, each in the file of its name.

A file has one `app` with one command, and is imported when that command is asked for. Its function
has an option a line: types that several commands share are in `options`, `state_folder` and
`completion`, its own stand above it. It asks the journal (`state_folder.journal`), the crontabs
(`crontabs.load`) or the running daemon (`client`, `by_hand`), and prints with `output`: with --json
a row of `json_rows`, else what a `..._view` makes of it. Notes and problems go to standard error.
What is refused is raised as a MeridianError, wrong usage as a typer.BadParameter.

A new command takes a file here, its name in `Commands.groups`, and tests in tests/cli.
"""
