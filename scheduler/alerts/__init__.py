"""Somebody hears of it: events in, notices in the journal, messages by the channels out.

channel     what every channel is

In the daemon, events become notices (`scheduler.notice`), in the commit of what they tell of. What
talks to anybody runs in a process of its own, so that nobody outside can delay the loop.
"""
