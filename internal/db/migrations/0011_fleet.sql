-- Which server does a run: '' of those from before. beat is counted up while that server lives; by its change, and by no clock,
-- others know that it does.
ALTER TABLE fleet_runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE fleet_runs ADD COLUMN beat BIGINT NOT NULL DEFAULT 0;
