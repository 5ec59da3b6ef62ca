"""Meridian, a cron daemon: the flow of a run, and the modules of each stage.

crontab text → entries     sources, crontab, lines, action, scope, settings, values, duration,
                           naming, program, delay, remarks, percent, expression, items, fields,
                           canonical, writing, dates, doubts, sixth, slips, zone_rule, nicknames,
                           spacing, item_hints, unique_names, safe_open
entries → due runs         roster, zone_changes, last_good, timetable, due, shifts, minutes, tick,
                           catchup, backlog, counting
due runs → claim → spawn   runs, prepared, admission, backfill, jobs, pauses, waiting, pending,
                           queues, slots, backlogs, launches, process, shell, marks, environment,
                           limits, limiter, limited, cgroup
spawn → outcome            watch, escaped, proc, leaders, survivors, heritage, bounds, floods,
                           inotify, outputs, output_guard
outcome → decision         outcomes, retry
decision → journal         ledger, journal, archive, memory, salvage, database, in_place,
                           highwater, unjournalled, sql, record, decoding, columns, renewal
what is kept               retention, pruning
what the log says of it    herald, wording, log, sink, echo, systemd
what is to come            coming, audit, explain, simulation, virtual, story
what has been              answer
what its user asks of it   protocol, control, desk, orders, replies, health, human_time
words for all of them      model, errors
what they stand on         apart, lease, own_limits, inside, way, clock, zonedata, tzif, localzone,
                           places, lock, versions, notify, report, redact, mask, secret_forms,
                           suggestions
around them                daemon, leaving, watchdog, cli

daemon is the loop, cli its door. A retry is no path of its own: it is the next attempt.
"""
