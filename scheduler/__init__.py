"""Meridian, a cron daemon. Folders are the stages of the flow; each imports only those above it.

The words that all share stand beside the folders: entry (what a crontab says), run (what happens),
notice (what somebody is to hear), protocol, status and codec (what goes over the control socket),
peer (who asks there), past (what it tells of runs that were), errors, text, suggestions, printable
(control characters), redact (secrets).

schedule/   when an expression is due: fields, DST, missed runs, the search
crontab/    crontab text to entries, and everything wrong with it
system/     clock, paths, locks, systemd, log, crontab files, the control socket
process/    commands as processes: start, limits, output files
journal/    the database: what happened, how long it is kept, how it is repaired
runs/       the life of a run: overlap, slots, retry, recovery
alerts/     who hears of it: mail, desktop, commands, other services
daemon/     the loop, the minute, the entries in force, requests, shutdown, simulation
cli/        the command line; each command in the file of its name in cli/commands/

daemon.loop is the loop, cli its door. A retry is no path of its own: it is the next attempt.
"""

__version__ = "0.1.0"  # the one place: the build, `--version` and `status` read it here
