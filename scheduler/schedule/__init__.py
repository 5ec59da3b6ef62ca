"""When an expression is due: pure rules of fields, durations, DST, missed runs and the search."""
