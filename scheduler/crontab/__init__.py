"""Crontab text in, entries and everything wrong with them out: pure, whatever the bytes are.

`parser` reads a file line by line; `lexer` takes a line apart, `command` what stands behind its
schedule. `settings` is the table of `CRON_…` settings, `scope` what is in force at a line. `lint`
and its kin warn of what cron would do in silence; `diagnostics` shows a problem with its place,
caret and hint. `last_good` keeps entries running after a bad edit. `spool_header` is what stands
before a user's table in cron's spool.
"""
