"""Crontab text in, entries and everything wrong with them out: pure, whatever the bytes are."""
