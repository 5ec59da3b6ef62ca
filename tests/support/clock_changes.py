"""Zones whose clocks change, forward and back, and when expressions are due around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Change(NamedTuple):
    """A zone's clock change and the stretch around it that the rows below look at."""

    start: str
    end: str
    day: str  # expected times stand on this day, unless they name another


class Pair(NamedTuple):
    """A zone with its two changes, and rows: expression | forward | back | why."""

    zone: str
    forward: Change
    back: Change
    rows: str


PAIRS = (
    Pair(
        "Europe/Berlin",  # 01:59+01 -> 03:00+02, and 02:59+02 -> 02:00+01
        Change("2027-03-28T00:00+01:00", "2027-03-28T06:00+02:00", "28"),
        Change("2027-10-31T00:00+02:00", "2027-10-31T06:00+01:00", "31"),
        """
        30 2 * * *      | 03:00+02                                              | 02:30+02                                                     | skipped: made up for right after; repeated: first time only
        0 2 * * *       | 03:00+02                                              | 02:00+02                                                     | the first skipped minute, the first repeated one
        59 2 * * *      | 03:00+02                                              | 02:59+02                                                     | the last skipped minute, the last before the repetition
        59 1 * * *      | 01:59+01                                              | 01:59+02                                                     | the last minute before either is an ordinary one
        0 3 * * *       | 03:00+02                                              | 03:00+01                                                     | the first minute after either is an ordinary one
        0 2,3 * * *     | 03:00+02                                              | 02:00+02 03:00+01                                            | its own run and the one made up for are one instant
        30 2,3 * * *    | 03:00+02 03:30+02                                     | 02:30+02 03:30+01                                            | what is made up for does not stand in for 03:30
        0,30 2 * * *    | 03:00+02                                              | 02:00+02 02:30+02                                            | two skipped minutes are made up for once
        0-59/30 2 * * * | 03:00+02                                              | 02:00+02 02:30+02                                            | a step from a written range follows the wall clock
        */30 2 * * *    | 03:00+02                                              | 02:00+02 02:30+02 02:00+01 02:30+01                          | the hole in Debian's rule, closed; the star repeats
        0 */2 * * *     | 00:00+01 03:00+02 04:00+02                            | 00:00+02 02:00+02 02:00+01 04:00+01                          | 02:00 is not lost; every two hours follows elapsed time
        0 0/2 * * *     | 00:00+01 03:00+02 04:00+02                            | 00:00+02 02:00+02 04:00+01                                   | the same hours without a star: the wall clock's
        0 */3 * * *     | 00:00+01 03:00+02                                     | 00:00+02 03:00+01                                            | names no changed hour
        15 * * * *      | 00:15+01 01:15+01 03:15+02 04:15+02 05:15+02          | 00:15+02 01:15+02 02:15+02 02:15+01 03:15+01 04:15+01 05:15+01 | hourly: nothing to make up for; both hours
        15 0-23 * * *   | 00:15+01 01:15+01 03:15+02 04:15+02 05:15+02          | 00:15+02 01:15+02 02:15+02 03:15+01 04:15+01 05:15+01        | every hour, written out; without a star, the first time only
        15 0-23/1 * * * | 00:15+01 01:15+01 03:15+02 04:15+02 05:15+02          | 00:15+02 01:15+02 02:15+02 03:15+01 04:15+01 05:15+01        | likewise
        15 0-22 * * *   | 00:15+01 01:15+01 03:00+02 03:15+02 04:15+02 05:15+02 | 00:15+02 01:15+02 02:15+02 03:15+01 04:15+01 05:15+01        | not every hour: the wall clock's
        15 */1 * * *    | 00:15+01 01:15+01 03:15+02 04:15+02 05:15+02          | 00:15+02 01:15+02 02:15+02 02:15+01 03:15+01 04:15+01 05:15+01 | every hour, and starts with a star
        15 *,2 * * *    | 00:15+01 01:15+01 03:15+02 04:15+02 05:15+02          | 00:15+02 01:15+02 02:15+02 02:15+01 03:15+01 04:15+01 05:15+01 | so does this list
        30 2 28 3 *     | 03:00+02                                              |                                                              | skipped minutes keep their date
        30 2 27,29 3 *  |                                                       |                                                              | other dates have no part in it
        30 2 31 10 *    |                                                       | 02:30+02                                                     | repeated minutes keep theirs
        30 2 * * sun    | 03:00+02                                              | 02:30+02                                                     | and their weekday
        30 2 * * mon    |                                                       |                                                              | which is not Monday
        30 2 * * 0L     | 03:00+02                                              | 02:30+02                                                     | it is the month's last Sunday
        30 2 L * *      |                                                       | 02:30+02                                                     | the last day of October, not of March
        """,
    ),
    Pair(
        "America/New_York",  # 01:59-05 -> 03:00-04, and 01:59-04 -> 01:00-05
        Change("2027-03-14T00:00-05:00", "2027-03-14T05:00-04:00", "14"),
        Change("2027-11-07T00:00-04:00", "2027-11-07T05:00-05:00", "07"),
        """
        30 2 * * *   | 03:00-04                            | 02:30-05                                              | skipped in spring, ordinary in autumn
        30 1 * * *   | 01:30-05                            | 01:30-04                                              | ordinary in spring, repeated in autumn
        0 2 * * *    | 03:00-04                            | 02:00-05                                              | the end of the repetition comes once
        */30 1 * * * | 01:00-05 01:30-05                   | 01:00-04 01:30-04 01:00-05 01:30-05                   | minute with a star
        0 1-3 * * *  | 01:00-05 03:00-04                   | 01:00-04 02:00-05 03:00-05                            | 02:00 and 03:00 are one instant
        30 * * * *   | 00:30-05 01:30-05 03:30-04 04:30-04 | 00:30-04 01:30-04 01:30-05 02:30-05 03:30-05 04:30-05 | every sixty minutes, whatever the clock shows
        """,
    ),
    Pair(
        "Australia/Lord_Howe",  # half an hour: 01:59+10:30 -> 02:30+11, and 01:59+11 -> 01:30+10:30
        Change("2027-10-03T00:00+10:30", "2027-10-03T04:00+11:00", "03"),
        Change("2027-04-04T00:00+11:00", "2027-04-04T04:00+10:30", "04"),
        """
        0 2 * * *    | 02:30+11                                        | 02:00+10:30                                                 | skipped; in autumn 02:00 comes once, late
        15 2 * * *   | 02:30+11                                        | 02:15+10:30                                                 | skipped; ordinary
        29 2 * * *   | 02:30+11                                        | 02:29+10:30                                                 | the last skipped minute
        30 2 * * *   | 02:30+11                                        | 02:30+10:30                                                 | the first minute after the gap is ordinary
        15 1 * * *   | 01:15+10:30                                     | 01:15+11                                                    | the repetition begins at 01:30
        45 1 * * *   | 01:45+10:30                                     | 01:45+11                                                    | repeated: first time only
        */15 1 * * * | 01:00+10:30 01:15+10:30 01:30+10:30 01:45+10:30 | 01:00+11 01:15+11 01:30+11 01:45+11 01:30+10:30 01:45+10:30 | half of the hour is repeated
        */15 2 * * * | 02:30+11 02:45+11                               | 02:00+10:30 02:15+10:30 02:30+10:30 02:45+10:30             | made up for and its own: one instant
        0 1-3 * * *  | 01:00+10:30 02:30+11 03:00+11                   | 01:00+11 02:00+10:30 03:00+10:30                            | none of the three is lost
        0 */2 * * *  | 00:00+10:30 02:30+11                            | 00:00+11 02:00+10:30                                        | two hours by the clock
        45 * * * *   | 00:45+10:30 01:45+10:30 02:45+11 03:45+11       | 00:45+11 01:45+11 01:45+10:30 02:45+10:30 03:45+10:30       | hourly: runs in each half hour that shows it
        15 * * * *   | 00:15+10:30 01:15+10:30 02:30+11 03:15+11       | 00:15+11 01:15+11 02:15+10:30 03:15+10:30                   | hourly: 02:15 would be lost, since 03:15 is not an hour after it
        15 * 3 10 *  | 00:15+10:30 01:15+10:30 02:30+11 03:15+11       |                                                             | on that date alone too
        * * * * sat  |                                                 |                                                             | and on no other day
        59 * * * *   | 00:59+10:30 01:59+10:30 02:59+11 03:59+11       | 00:59+11 01:59+11 01:59+10:30 02:59+10:30 03:59+10:30       | hourly: every shown hour has a :59
        """,
    ),
    Pair(
        "Antarctica/Troll",  # two hours: 00:59+00 -> 03:00+02, and 02:59+02 -> 01:00+00
        Change("2027-03-28T00:00+00:00", "2027-03-28T05:00+02:00", "28"),
        Change("2027-10-31T00:00+02:00", "2027-10-31T05:00+00:00", "31"),
        """
        30 1 * * *   | 03:00+02                   | 01:30+02                                                     | the first of the two hours
        30 2 * * *   | 03:00+02                   | 02:30+02                                                     | the second
        30 1,2 * * * | 03:00+02                   | 01:30+02 02:30+02                                            | both are made up for in one run
        0 1-3 * * *  | 03:00+02                   | 01:00+02 02:00+02 03:00+00                                   | and so is 03:00 itself
        */30 2 * * * | 03:00+02                   | 02:00+02 02:30+02 02:00+00 02:30+00                          | minute with a star
        0 */2 * * *  | 00:00+00 03:00+02 04:00+02 | 00:00+02 02:00+02 02:00+00 04:00+00                          | hour with a star
        0 * * * *    | 00:00+00 03:00+02 04:00+02 | 00:00+02 01:00+02 02:00+02 01:00+00 02:00+00 03:00+00 04:00+00 | every sixty minutes
        """,
    ),
    Pair(
        "Asia/Beirut",  # at midnight: 27T23:59+02 -> 28T01:00+03, and 30T23:59+03 -> 30T23:00+02
        Change("2027-03-27T22:00+02:00", "2027-03-28T03:00+03:00", "28"),
        Change("2027-10-30T22:00+03:00", "2027-10-31T03:00+02:00", "30"),
        """
        @daily        | 01:00+03                                  | 31T00:00+02                                                  | a midnight that is skipped, one that comes late
        30 0 * * *    | 01:00+03                                  | 31T00:30+02                                                  | later in the skipped hour
        30 23 * * *   | 27T23:30+02                               | 23:30+03                                                     | repeated before midnight, so on the old date
        */30 23 * * * | 27T23:00+02 27T23:30+02                   | 23:00+03 23:30+03 23:00+02 23:30+02                          | minute with a star
        0 0 28 3 *    | 01:00+03                                  |                                                              | the skipped midnight began the 28th
        0 0 27 3 *    |                                           |                                                              | and not the 27th
        0 0 * * sun   | 01:00+03                                  | 31T00:00+02                                                  | both new days are Sundays
        30 23 * * sat | 27T23:30+02                               | 23:30+03                                                     | both old ones Saturdays
        0 0 L * *     |                                           | 31T00:00+02                                                  | October's last day begins once
        0 * * * *     | 27T22:00+02 27T23:00+02 01:00+03 02:00+03 | 22:00+03 23:00+03 23:00+02 31T00:00+02 31T01:00+02 31T02:00+02 | every sixty minutes
        """,
    ),
    Pair(
        "Africa/Cairo",  # at midnight: 29T23:59+02 -> 30T01:00+03, and 28T23:59+03 -> 28T23:00+02
        Change("2027-04-29T22:00+02:00", "2027-04-30T03:00+03:00", "30"),
        Change("2027-10-28T22:00+03:00", "2027-10-29T03:00+02:00", "28"),
        """
        @daily        | 01:00+03    | 29T00:00+02 | the daily job runs once on both days
        30 0 * * fri  | 01:00+03    | 29T00:30+02 | both new days are Fridays
        59 23 * * thu | 29T23:59+02 | 23:59+03    | the last minute of a repeated hour
        0 0 L * *     | 01:00+03    |             | April's last day begins with a gap
        0 0 1 * *     |             |             | which does not make it the 1st
        """,
    ),
    Pair(
        "Europe/Dublin",  # its winter is the exception: 00:59+00 -> 02:00+01, and 01:59+01 -> 01:00+00
        Change("2027-03-28T00:00+00:00", "2027-03-28T04:00+01:00", "28"),
        Change("2027-10-31T00:00+01:00", "2027-10-31T04:00+00:00", "31"),
        """
        30 1 * * *   | 02:00+01                   | 01:30+01                                     | clocks count, not which of the two is called summer time
        */30 1 * * * | 02:00+01                   | 01:00+01 01:30+01 01:00+00 01:30+00          | minute with a star
        0 1,2 * * *  | 02:00+01                   | 01:00+01 02:00+00                            | once for both
        30 * * * *   | 00:30+00 02:30+01 03:30+01 | 00:30+01 01:30+01 01:30+00 02:30+00 03:30+00 | every sixty minutes
        """,
    ),
    Pair(
        "Asia/Pyongyang",  # new standard time: 04T23:29+08:30 -> 05T00:00+09, and 14T23:59+09 -> 14T23:30+08:30
        Change("2018-05-04T23:00+08:30", "2018-05-05T02:00+09:00", "05"),
        Change("2015-08-14T23:00+09:00", "2015-08-15T02:00+08:30", "14"),
        """
        45 23 * * *   | 00:00+09                               | 23:45+09                               | the rule asks for a shift, not for summer time
        45 23 4 5 *   | 00:00+09                               |                                        | the skipped minutes were of the 4th
        45 23 5 5 *   |                                        |                                        | not of the 5th
        @daily        | 00:00+09                               | 15T00:00+08:30                         | an ordinary midnight
        0 0,1 * * *   | 00:00+09 01:00+09                      | 15T00:00+08:30 15T01:00+08:30          | with an ordinary hour after it
        */20 23 * * * | 04T23:00+08:30 04T23:20+08:30 00:00+09 | 23:00+09 23:20+09 23:40+09 23:40+08:30 | half of the hour is repeated
        """,
    ),
    Pair(
        "Antarctica/Casey",  # three hours: 01:59+08 -> 05:00+11, and 05T01:59+11 -> 04T23:00+08
        Change("2009-10-18T00:00+08:00", "2009-10-18T07:00+11:00", "18"),
        Change("2010-03-04T22:00+11:00", "2010-03-05T04:00+08:00", "05"),
        """
        0 3 * * *   |                   | 03:00+08                | three hours are no longer under three: nothing is made up for
        0 3,5 * * * | 05:00+11          | 03:00+08                | the first minute after is only itself
        0 1 * * *   | 01:00+08          | 01:00+11                | back by three hours: as cron counts it, once
        0 23 * * *  |                   | 04T23:00+11             | on the evening before as well
        0 2 * * *   |                   | 02:00+08                | the first minute after the repeated ones
        0 */6 * * * | 00:00+08 06:00+11 | 00:00+11 00:00+08       | an hour with a star follows elapsed time
        """,
    ),
    Pair(
        "Pacific/Kwajalein",  # a day dropped: 20T23:59-12 -> 22T00:00+12; and 30T23:59+11 -> 30T01:00-12
        Change("1993-08-20T22:00-12:00", "1993-08-22T02:00+12:00", "22"),
        Change("1969-09-30T22:00+11:00", "1969-09-30T03:00-12:00", "30"),
        """
        0 12 21 8 *   |             |                   | there was no 21 August
        @daily        | 00:00+12    |                   | nothing is made up for but its own midnight
        30 23 * * *   | 20T23:30-12 | 23:30+11          | before it
        30 1 * * *    | 01:30+12    | 01:30-12          | what is shown again by more than three hours happens again
        */30 1 * * *  | 01:00+12 01:30+12 | 01:00-12 01:30-12 | star or not
        """,
    ),
    Pair(
        "Africa/Monrovia",  # minutes in part: 06T23:59:30-00:44:30 -> 07T00:45+00; and back by 82 seconds: 00:00:52 -> 23:59:30
        Change("1972-01-07T00:30+00:00", "1972-01-07T03:00+00:00", "07"),
        Change("1919-03-01T00:30+00:00", "1919-03-01T02:00+00:00", "01"),
        """
        44 0 * * *   | 00:45+00                   | 00:44-00:44:30                                              | of 00:44 only half is skipped, and no tick shows it
        0 0 * * *    | 00:45+00                   | 00:00-00:44:30                                              | midnight is skipped; it comes once where the clock goes back just before it
        45 0 * * *   | 00:45+00                   | 00:45-00:44:30                                              | the first minute after
        59 23 * * *  | 06T23:59-00:44:30          | 28T23:59-00:43:08                                           | the last one before; shown by two ticks, of which the first counts
        59 */23 * * * | 06T23:59-00:44:30 00:59+00 | 28T23:59-00:43:08 28T23:59-00:44:30 00:59-00:44:30         | a star follows elapsed time
        */20 0 * * * | 00:45+00                   | 00:00-00:44:30 00:20-00:44:30 00:40-00:44:30                | minute with a star
        15 * * * *   | 00:45+00 01:15+00 02:15+00 | 00:15-00:44:30                                              | the gap is not of whole hours
        """,
    ),
    Pair(
        "Pacific/Apia",  # 29T23:59-10 -> 31T00:00+14 across the date line, and 03:59+14 -> 03:00+13
        Change("2011-12-29T22:00-10:00", "2011-12-31T04:00+14:00", "31"),
        Change("2012-04-01T01:00+14:00", "2012-04-01T06:00+13:00", "01"),
        """
        @daily        | 00:00+14                                                    |                                                       | the 30th had no midnight, the 31st has its own
        0 12 30 12 *  |                                                             |                                                       | there was no 30 December
        0 12 * * fri  |                                                             |                                                       | and no Friday
        0 12 L * *    |                                                             |                                                       | nor is noon made up for
        30 3 * * *    | 03:30+14                                                    | 03:30+14                                              | once on Saturday; repeated: first time only
        */30 3 * * *  | 03:00+14 03:30+14                                           | 03:00+14 03:30+14 03:00+13 03:30+13                   | minute with a star
        0 22-23 * * * | 29T22:00-10 29T23:00-10                                     |                                                       | Thursday evening comes once
        0 * * * *     | 29T22:00-10 29T23:00-10 00:00+14 01:00+14 02:00+14 03:00+14 | 01:00+14 02:00+14 03:00+14 03:00+13 04:00+13 05:00+13 | every sixty minutes
        """,
    ),
    Pair(
        "America/Asuncion",  # at midnight: 30T23:59-04 -> 01T01:00-03, and 25T23:59-03 -> 25T23:00-04
        Change("2023-09-30T22:00-04:00", "2023-10-01T03:00-03:00", "01"),
        Change("2023-03-25T22:00-03:00", "2023-03-26T03:00-04:00", "25"),
        """
        @daily        | 01:00-03                                  | 26T00:00-04                                                        | the southern spring is in October
        @monthly      | 01:00-03                                  |                                                                    | the skipped midnight began the month
        0 0 30 9 *    |                                           |                                                                    | and did not end the old one
        59 23 * * *   | 30T23:59-04                               | 23:59-03                                                           | the last minute of the old day, the first time only
        */30 0 * * *  | 01:00-03                                  | 26T00:00-04 26T00:30-04                                            | minute with a star
        0 */12 * * *  | 01:00-03                                  | 26T00:00-04                                                        | hour with a star
        30 * * * *    | 30T22:30-04 30T23:30-04 01:30-03 02:30-03 | 22:30-03 23:30-03 23:30-04 26T00:30-04 26T01:30-04 26T02:30-04     | every sixty minutes
        """,
    ),
    Pair(
        "America/Havana",  # midnight itself: 09T23:59-05 -> 10T01:00-04, and 03T00:59-04 -> 03T00:00-05
        Change("2024-03-09T22:00-05:00", "2024-03-10T03:00-04:00", "10"),
        Change("2024-11-02T22:00-04:00", "2024-11-03T03:00-05:00", "03"),
        """
        @daily        | 01:00-04                                  | 00:00-04                                                           | no midnight in spring, two in autumn, and one run each
        30 0 * * *    | 01:00-04                                  | 00:30-04                                                           | later in that hour
        0 1 * * *     | 01:00-04                                  | 01:00-05                                                           | the first minute after either is an ordinary one
        0 0,1 * * sun | 01:00-04                                  | 00:00-04 01:00-05                                                  | in one run, or in two
        */30 0 * * *  | 01:00-04                                  | 00:00-04 00:30-04 00:00-05 00:30-05                                | minute with a star
        0 */2 * * *   | 09T22:00-05 01:00-04 02:00-04             | 02T22:00-04 00:00-04 00:00-05 02:00-05                             | hour with a star
        0 * * * *     | 09T22:00-05 09T23:00-05 01:00-04 02:00-04 | 02T22:00-04 02T23:00-04 00:00-04 00:00-05 01:00-05 02:00-05        | every sixty minutes
        """,
    ),
    Pair(
        "Africa/Casablanca",  # back for Ramadan: 02:59+01 -> 02:00+00; and forward after it: 01:59+00 -> 03:00+01
        Change("2024-04-14T00:00+00:00", "2024-04-14T05:00+01:00", "14"),
        Change("2024-03-10T00:00+01:00", "2024-03-10T05:00+00:00", "10"),
        """
        30 2 * * *   | 03:00+01                            | 02:30+01                                              | five weeks apart, and no summer in between
        0 2,3 * * *  | 03:00+01                            | 02:00+01 03:00+00                                     | once for both
        */30 2 * * * | 03:00+01                            | 02:00+01 02:30+01 02:00+00 02:30+00                   | minute with a star
        0 */2 * * *  | 00:00+00 03:00+01 04:00+01          | 00:00+01 02:00+01 02:00+00 04:00+00                   | hour with a star
        30 * * * *   | 00:30+00 01:30+00 03:30+01 04:30+01 | 00:30+01 01:30+01 02:30+01 02:30+00 03:30+00 04:30+00 | every sixty minutes
        """,
    ),
    Pair(
        "America/Caracas",  # half an hour, years apart: 02:29-04:30 -> 03:00-04, and 02:59-04 -> 02:30-04:30
        Change("2016-05-01T01:00-04:30", "2016-05-01T05:00-04:00", "01"),
        Change("2007-12-09T01:00-04:00", "2007-12-09T05:00-04:30", "09"),
        """
        45 2 * * *    | 03:00-04                                  | 02:45-04                                                    | skipped; repeated
        15 2 * * *    | 02:15-04:30                               | 02:15-04                                                    | the other half of that hour is ordinary
        15,45 2 * * * | 02:15-04:30 03:00-04                      | 02:15-04 02:45-04                                           | both halves
        */15 2 * * *  | 02:00-04:30 02:15-04:30 03:00-04          | 02:00-04 02:15-04 02:30-04 02:45-04 02:30-04:30 02:45-04:30 | minute with a star
        45 */2 * * *  | 03:00-04 04:45-04                         | 02:45-04 02:45-04:30 04:45-04:30                            | hour with a star
        45 * * * *    | 01:45-04:30 03:00-04 03:45-04 04:45-04    | 01:45-04 02:45-04 02:45-04:30 03:45-04:30 04:45-04:30       | hourly: 02:45 is made up for, as a gap of whole hours would not need
        15 * * * *    | 01:15-04:30 02:15-04:30 03:15-04 04:15-04 | 01:15-04 02:15-04 03:15-04:30 04:15-04:30                   | hourly: every shown hour has a :15
        """,
    ),
    Pair(
        "Europe/Volgograd",  # another zone's time for good, and back for good: 01:59+03 -> 03:00+04, and 01:59+04 -> 01:00+03
        Change("2018-10-28T00:00+03:00", "2018-10-28T05:00+04:00", "28"),
        Change("2020-12-27T00:00+04:00", "2020-12-27T05:00+03:00", "27"),
        """
        30 2 * * *     | 03:00+04                            | 02:30+03                                              | forward in October
        30 1 * * *     | 01:30+03                            | 01:30+04                                              | back two winters later
        */30 1 * * *   | 01:00+03 01:30+03                   | 01:00+04 01:30+04 01:00+03 01:30+03                   | minute with a star
        0 2-23/2 * * * | 03:00+04 04:00+04                   | 02:00+03 04:00+03                                     | hours written out
        30 * * * *     | 00:30+03 01:30+03 03:30+04 04:30+04 | 00:30+04 01:30+04 01:30+03 02:30+03 03:30+03 04:30+03 | every sixty minutes
        """,
    ),
    Pair(
        "Asia/Almaty",  # summer time once, then an hour less for good: 01:59+06 -> 03:00+07, and 29T23:59+06 -> 29T23:00+05
        Change("2004-03-28T00:00+06:00", "2004-03-28T05:00+07:00", "28"),
        Change("2024-02-29T22:00+06:00", "2024-03-01T03:00+05:00", "29"),
        """
        30 2 * * *    | 03:00+07                            | 01T02:30+05                                                        | a summer time that was given up a year later
        @monthly      |                                     | 01T00:00+05                                                        | March begins once
        0 23 29 2 *   |                                     | 23:00+06                                                           | the leap day has 25 hours
        0 12 L * *    |                                     |                                                                    | but one noon
        59 23 L * *   |                                     | 23:59+06                                                           | its last minute counts the first time
        */30 23 * * * |                                     | 23:00+06 23:30+06 23:00+05 23:30+05                                | minute with a star
        15 * * * *    | 00:15+06 01:15+06 03:15+07 04:15+07 | 22:15+06 23:15+06 23:15+05 01T00:15+05 01T01:15+05 01T02:15+05     | every sixty minutes
        """,
    ),
    Pair(
        "UTC",  # never changes, whatever Berlin does in these nights
        Change("2027-03-28T00:00+00:00", "2027-03-28T04:00+00:00", "28"),
        Change("2027-10-31T00:00+00:00", "2027-10-31T04:00+00:00", "31"),
        """
        30 2 * * *   | 02:30+00                            | 02:30+00                            | an ordinary minute
        */30 2 * * * | 02:00+00 02:30+00                   | 02:00+00 02:30+00                   | two of them
        0 */2 * * *  | 00:00+00 02:00+00                   | 00:00+00 02:00+00                   | nothing moves
        15 * * * *   | 00:15+00 01:15+00 02:15+00 03:15+00 | 00:15+00 01:15+00 02:15+00 03:15+00 | ever
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One row in one direction: what is asked for between two instants, the times expected."""

    direction: str
    text: str
    zone: ZoneInfo
    start: datetime
    end: datetime
    day: str
    expected: str
    why: str

    @property
    def rule(self) -> str:
        """The row of the README's table of local clock changes that it belongs to."""
        first, last = (
            at.astimezone(self.zone).replace(tzinfo=None) for at in (self.start, self.end)
        )
        shift = (last - first) - (self.end - self.start)
        if not timedelta(hours=-3) <= shift < timedelta(hours=3):
            return "three hours or more"
        minute, hour = ("0", "0") if self.text[0] == "@" else self.text.split()[:2]
        if hour == "*":
            return "a lone star in the hour field"
        if "*" in (minute[0], hour[0]):
            return "a star in the minute or hour field"
        return "fixed times"

    def __str__(self) -> str:
        return f"{self.zone} {self.direction}: {self.text}: {self.why}"

    def show(self, at: datetime) -> str:
        """Write an instant as the tables do: `03:00+02`, or `27T23:30+02` on another day."""
        local = at.astimezone(self.zone)
        day = "" if f"{local:%d}" == self.day else f"{local:%dT}"
        return f"{day}{local:%H:%M}{local.isoformat()[19:].removesuffix(':00')}"


def _case(pair: Pair, row: str, direction: str) -> Case:
    text, forward, back, why = (cell.strip() for cell in row.split("|"))
    change, expected = (pair.forward, forward) if direction == "forward" else (pair.back, back)
    return Case(
        direction,
        text,
        ZoneInfo(pair.zone),
        datetime.fromisoformat(change.start).astimezone(UTC),
        datetime.fromisoformat(change.end).astimezone(UTC),
        change.day,
        expected,
        why,
    )


CASES = [
    _case(pair, row, direction)
    for pair in PAIRS
    for row in pair.rows.strip().splitlines()
    for direction in ("forward", "back")
]

NOTES = [  # expression, zone, after (UTC), the note, why
    ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", "the clock goes forward: stands for 02:30", "one skipped minute"),
    ("0,30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", "the clock goes forward: stands for 02:00 and 1 more", "two of them"),
    ("* 2 * * *", "Europe/Berlin", "2027-03-28T00:00", "the clock goes forward: stands for 02:00 and 59 more", "all of them"),
    ("0 2,3 * * *", "Europe/Berlin", "2027-03-27T12:00", "the clock goes forward: stands for 02:00, with its own run", "and 03:00 itself"),
    ("0 3 * * *", "Europe/Berlin", "2027-03-27T12:00", "", "only itself"),
    ("0 * * * *", "Europe/Berlin", "2027-03-28T00:30", "", "hourly jobs go on in step"),
    ("30 2 * * *", "Europe/Berlin", "2027-03-28T12:00", "", "the next day is as ever"),
    ("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00", "", "the first time is the usual one"),
    ("30 * * * *", "Europe/Berlin", "2027-10-31T00:40", "the clock goes back: the second 02:30", "the second one is not"),
    ("0 3 * * *", "Europe/Berlin", "2027-10-30T12:00", "", "03:00 comes once"),
    ("@daily", "Asia/Beirut", "2027-03-27T12:00", "the clock goes forward: stands for 00:00", "a skipped midnight"),
    ("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T12:00", "the clock goes forward: stands for 02:15", "half an hour"),
    ("45 * * * *", "Australia/Lord_Howe", "2027-04-03T14:50", "the clock goes back: the second 01:45", "half an hour"),
    ("15 * * * *", "Australia/Lord_Howe", "2027-10-02T15:00", "the clock goes forward: stands for 02:15", "hourly, and out of step"),
    ("@daily", "Pacific/Apia", "2011-12-29T12:00", "", "a dropped day is nothing to stand for"),
    ("0 */3 * * *", "Antarctica/Casey", "2010-03-04T15:00", "the clock goes back: the second 00:00", "three hours are an overlap"),
    ("0 3 * * *", "Antarctica/Casey", "2009-10-17T18:00", "", "and no gap"),
]  # fmt: skip
