"""Somebody hears of it: events in, notices in the journal, messages by the channels out.

channel       what every channel is
dispatcher    which notices are due, and what became of them: dispatch_rules decide, alert_log tells
courier       has them sent by processes of their own: sender_process is one end, sender the other
sender_start  how a sender is started; user_sender  one that becomes another user
recorder      events in, notices out: facts are what they tell, the notifier writes them
own_user      who tells of an entry: the user that its jobs run as
policy        what has happened to a job in, whether somebody is told of it out
reasons, slow, expected  which runs are missed or slow, and which jobs have been silent too long
wording       a delivery in, what a person reads out; notice_lines  of one notice
message_origin  where it is written: host, user, outputs
output_excerpt  what is told of an output: all of it, its head and tail, or its tail
ping_rules    which pings an event gives; ping_request  what a ping asks of its server
command       the channel of `| COMMAND`; command_facts  what such a command gets
push          the channel of addresses: apprise_address  one; told_addresses  who has heard it
desktop       the channel of the desktop
addresses     what `@name` stands for
ping          the channel of CRON_PING; web  one HTTP request
mailto        who gets a mail of a run; mail_account  the file that says how mail is sent
mail          the channel of mail; mail_message  one mail; output_mail  what it has of outputs
smtp          a server that takes mail; sendmail  the machine's own mailer

In the daemon, events become notices (`scheduler.notice`), in the commit of what they tell of. What
talks to anybody runs in a process of its own, so that nobody outside can delay the loop.
"""
