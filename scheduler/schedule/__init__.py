"""When an expression is due: pure rules, which are told the time and ask nobody for it.

`expression` reads the text of a schedule (crontab(5)) and `describe` says it in words. `dst` is the
clock-change rule, gap and overlap; `search` finds the next instants, `timetable` what is due in a
minute. `tick` tells how time moved; `catchup` decides about missed runs, `misfire` how late one may
start, `spread` how long after its instant. `zone_data` alone reads files: the zones.
"""
