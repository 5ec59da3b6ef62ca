"""The lowest and the highest number that each setting takes."""

from __future__ import annotations

RANGES = [
    # name, the lowest and the highest that is taken, what lies below and above
    ("CRON_RETRIES", "0", "1000000", "-1", "1000001"),
    ("CRON_RETRY_DELAY", "0", "3650d", "-1s", "3650d1s"),
    ("CRON_RETRY_FACTOR", "1", "1000", "0.999", "1000.1"),
    ("CRON_RETRY_MAX_DELAY", "0", "3650d", "-1", "3651d"),
    ("CRON_RETRY_JITTER", "0", "1", "-0.1", "1.001"),
    ("CRON_RETRY_WITHIN", "0", "315360000", "-1", "315360001"),
    ("CRON_RETRY_ON", "0", "255", "-1", "256"),
    ("CRON_NO_RETRY_ON", "0", "255", "-1", "256"),
    ("CRON_SUCCESS", "0", "0-255", "-1", "0-256"),
    ("CRON_TIMEOUT", "0.001", "3650d", "0", "3651d"),
    ("CRON_KILL_AFTER", "0", "3650d", "-1", "3651d"),
    ("CRON_CATCHUP_LIMIT", "1", "100000000", "0", "100000001"),
    ("CRON_WITHIN", "0", "3650d", "-1", "3651d"),
    ("CRON_SPREAD", "0", "3650d", "-1", "3651d"),
    ("CRON_POOL", "p:1", "p:999999", "p:0", "p:1000000"),
    ("CRON_MEMORY", "1", "999999999T", "0", "1000000000T"),
    ("CRON_CPU", "0.001", "3650d", "0", "3651d"),
    ("CRON_NICE", "-20", "19", "-21", "20"),
    ("CRON_EXPECT", "0.001", "3650d", "0", "3651d"),
    ("RANDOM_DELAY", "0", "1440", "-1", "1441"),
    ("START_HOURS_RANGE", "0-1", "23-24", "-1-5", "3-25"),
]
