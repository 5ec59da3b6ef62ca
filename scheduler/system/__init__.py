"""The operating system: clocks, paths, locks, systemd, log, crontab files, control socket.

| to find | look in |
| --- | --- |
| reading clocks, and waiting | `clock`, `waiting` |
| where files live; who has the state folder | `paths`, `state_lock` |
| who runs cron's tables, cron or this daemon; until when cron did | `cron_lock`, `crons_record` |
| when jobs of anacron ran last; who runs them | `anacron_stamps` |
| files in the state folder | `state_files` |
| reading crontabs; all of them together | `crontab_files`, `crontab_loader`, `parsed_tables` |
| which crontabs a system daemon reads, and in which form | `crontab_place` |
| who else could have written a crontab | `safe_open`, `trusted_path`, `cron_checks` (cron's) |
| a file with a secret in it | `private_file` |
| saving a crontab, and its old versions | `crontab_versions` |
| users' tables, where cron has them; who may have one | `crontab_spool`, `cron_access` |
| the control socket: the daemon's end | `control_server`, `control_listener` (the file) |
| the control socket: a command's end | `control_client` |
| the control socket: its address | `control_socket` |
| the control socket: who asks; how often | `user_names`, `request_pace` |
| the log, and who writes it out | `log`, `log_sink` |
| the machine's time zone; its boot; its salt for `~` | `local_zone`, `boot`, `machine_salt` |
| systemd | `systemd` |
| users of the machine; becoming one for good | `accounts`, `become_user` |
| who they are, while nobody waits for it | `known_users` |
| what their jobs find; how they are limited | `user_variables`, `user_limits` |
| whether the clock is kept right; a folder's disk | `clock_sync`, `disk` |
| notifications: the door; the words | `desktop`, `notification` |
| notifications: the ways | `desktop_dbus`, `desktop_osascript`, `desktop_terminal` |
| whose desktop; a message bus | `desktop_session`, `session_bus` |
| the number of what was shown last | `shown_numbers` |
| idle, locked, presenting: the rule; who is asked | `presence`, `presence_linux`, `presence_mac` |
| the words of their answers | `presence_sources` |
| a time limit for several steps; a program with one | `time_limit`, `helper_program` |
| programs that end with who waits for them | `own_groups` |
| threads beside the loop, or for so long; limits of this process | `background`, `own_limits` |
| libraries loaded without OpenSSL | `openssl` |
"""
