"""Commands as processes: how they start and end, their limits, their output files.

| to find | look in |
| --- | --- |
| starting a job, signalling it, how it ended | `spawner`: `launch`, `process_groups`, `reaper` |
| a job in the foreground, that nobody else hears of | `foreground`, `output_copy` |
| a job's variables; a command without a shell | `job_environment`, `direct_exec` |
| starting a job as another user: whether, who that is | `as_user`, `user_jobs` |
| starting a job as another user: by which process | `user_spawning` |
| that process, a program of its own | `user_spawner` |
| limits of CPU, memory, niceness: the rules | `resource_limits` |
| limits: how they are put on | `limiter`, `limit_exec` (a program of its own), `cgroup` |
| output files: made, read, listed | `output_files` |
| output files: kept to their cap | `output_trim`, `file_holes` |
| output files: room that no user takes | `output_room` |
| output files: who writes too fast | `output_throttle`, `stopped_writers`, `inotify` |
| output files: a job that empties its own | `output_guard`, `truncation_sentinel` |
| what lives on from an earlier daemon | `survivors` |
| what got away from an attempt that was ended | `escaped_processes` |
| who has a file open to write | `file_writers` |
| any process of the machine; this one | `procfs`, `own_process` |
"""
