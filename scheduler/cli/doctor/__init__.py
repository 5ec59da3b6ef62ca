"""What `doctor` looks at: facts of this machine in, findings with their remedies out.

A check yields findings, may raise OSError or MeridianError, and has a time limit of its own. What
can be judged apart from reading is a function of what was read.

| a check of | is in |
| --- | --- |
| the running daemon, and other daemons like it | `daemons` |
| other crons that run the same jobs | `other_crons` |
| lines of crontabs, their programs, what they need installed | `job_lines` |
| addresses that jobs alert, and files of them | `alert_addresses` |
| the zones' data, and the machine's zone | `zones` |
| whether the clock is set right | `clock_set` |
| the state folder, its disk and journal | `state_disk` |
| limits of processes and of systemd's unit | `daemon_limits` |
| by which way mail goes, and a mail really sent | `mail_way` |
| a notification really shown | `shown_notification` |

`diagnosis` is what a check comes to, `facts` what they all look at, `examination` runs them.
"""
