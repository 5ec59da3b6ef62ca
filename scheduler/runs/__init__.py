"""The life of a run: who may start, what waits, what follows an attempt, recovery after a crash."""
