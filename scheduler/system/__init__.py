"""The operating system: clocks, paths, locks, systemd, log, crontab files, control socket."""
