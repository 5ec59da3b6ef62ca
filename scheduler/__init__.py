"""Meridian, a cron daemon: the flow of a run, and the modules of each stage.

crontab text → entries     sources, crontab (lines, action, scope, settings, naming, expression)
entries → due runs         roster, timetable, due; tick says which minutes are owed
due runs → claim → spawn   runs, jobs, launches; journal and process do it
spawn → outcome            watch, process
outcome → decision         retry, retries
decision → journal         ledger, journal; then the log says it, in the words of wording

daemon is the loop around it, cli its door. A retry is no path of its own: it is the next attempt.
"""
