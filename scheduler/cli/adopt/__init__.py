"""What another cron runs on this machine, and taking it over: the parts of `adopt`.

| to find | look in |
| --- | --- |
| the tables, and the scripts of /etc/cron.daily and the like | `crons_tables` |
| what an entry does differently here, and why: the rule | `differences` |
| who runs cron's tables now | `crons_units` |
| the steps of taking over, and of giving back | `handover` |
| the daemon's own options, of the service's environment | `service_options` |
"""
