"""The life of a run: who may start, what waits, what follows an attempt, recovery after a crash.

lifecycle           the verbs that the loop calls; start reading here
admission           who may start: a due entry, from its claim to its slot
overlap, retry      pure rules: beside another run of the job; after an attempt
table, live_run     the one state of all runs that are not over, and each of them
transaction         a journal commit and the table's change with it, or neither
launcher            starts the processes of what is claimed, a minute's in one burst
supervisor          what runs: timeouts, signals; escaped: what got away from them
outcomes            what processes did, and what follows: done, a retry, given up
waiting, slots      who waits for a time, a run or a slot gets its turn
replacement         what gives way to a run that begins
recording           what is written of an event in the event's own commit
backlogs, backfill  instants that came too late, and their runs one after the other
jumps               the clock that was set, a machine that slept, a daemon that was down
recovery            what an earlier daemon left
manual, pauses      trigger, retry, kill, pause and resume by hand
events, listeners   what happened, as values; who hears of it: log_listener writes the log
messages            the log's words; output_cap, echo: what jobs write
"""
