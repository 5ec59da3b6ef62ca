"""The daemon: one loop, on one thread, that lets every due run start. `wiring` builds one.

loop                the loop and its steps; where a stop, a reload or a request leaves its note
steps               what happens when a step fails: a full disk, no memory, a bug
signals             SIGTERM, SIGINT, SIGHUP, SIGUSR1
ticker              which minute is handled, planned, owed; the clock set or stopped
entries, reloader   the entries in force, and how new ones come into force
file_monitor        crontabs that change, a state folder that is lost
requests            what is asked through the control socket, and what of it `rights` allow;
                    snapshot: how the daemon does, of what is `visible` to who asks;
                    user_tables: crontabs of users
shutdown            stop, drain, grace
service_report      what the service manager hears: that the loop goes on, what runs, what is next
crontab_log         problems in the crontabs; upcoming_log: what is due next
log_once            trouble with the journal, told once
taken_tables        what another cron has run of its tables, taken over from it
machine_tables      which crontabs a system daemon reads now, and cron's lock
system_parts        what a system daemon alone has, and loads
stamp_writer        anacron's stamps, of its jobs that have run
watchdog            a loop that is held up; own_ping: a service that hears that it goes on
service             a daemon of this machine: its state folder, its log, the next one after a repair
control_address     where its control socket is; watched_crontabs: which files it reads
simulation          the same daemon on a virtual clock: virtual_machine, incidents, job_duration,
                    simulation_events
"""
