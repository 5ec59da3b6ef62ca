-- What a daemon goes on from carries a number that is worked out of it: a row whose value was changed
-- by a damage, and not by Meridian, has another.

ALTER TABLE tick ADD COLUMN seal INTEGER;
ALTER TABLE era ADD COLUMN seal INTEGER;
ALTER TABLE anchor ADD COLUMN seal INTEGER;
ALTER TABLE boot ADD COLUMN seal INTEGER;
ALTER TABLE pause ADD COLUMN seal INTEGER;
ALTER TABLE backlog ADD COLUMN seal INTEGER;

UPDATE tick SET seal = seal(minute);
UPDATE era SET seal = seal(number, since, last, noticed);
UPDATE anchor SET seal = seal(job, interval_minutes, instant);
UPDATE boot SET seal = seal(job, boot_id);
UPDATE pause SET seal = seal(job, since, until, note);
UPDATE backlog SET seal = seal(job, schedule, zone, next, last, remain, missed, late);
