"""The daemon's memory on disk: one SQLite database, what is kept in it, and its repair.

- `journal` writes the life of a run. Its parts: `queries` looks back, `pages` does for
  those who ask the daemon (`past_runs` is what they are told), `daemon_state` is what the
  next daemon goes on from, `outbox` is what somebody is to hear, `old_runs` is what may go.
  `glance` answers what is asked most, alone.
- `rows` is what it tells; `decoding` and `run_decoding` make that from the database's rows,
  `columns` from one value.
- `database` opens the file and commits, on a `connection` to SQLite; `sqlite_errors` says what was
  refused; `migrations/` brings an older file up to date; `sql/` has the statements.
- `retention` decides what is too old or too much, and removes it step by step.
- Damage: `integrity` finds it inside the file, `files_in_place` that a file was deleted or cut, and
  `high_water` that the journal is an older one. `repair` then begins a new journal with what
  `salvage` can take from the old, and `repair_files` moves the one in the place of the other.
- `unjournalled` keeps the ends of attempts that the journal refused.
"""
