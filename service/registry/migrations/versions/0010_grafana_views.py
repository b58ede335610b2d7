"""What Grafana may read: views in a schema of their own, on PostgreSQL; they hide what the pages hide.

A room's values are sealed from the first switch of an experiment to its end, as in service/embargo.py. The
database does not know the installation's time zone and cannot trust the reader's (`SET timezone`): the seal
is laid when the day begins anywhere on Earth (UTC+14) and lifted when the last one has ended everywhere
(UTC-12), half a day longer than on the pages, never shorter. A room for one person is not in `outcomes`.
"""

from alembic import op

revision = "0010"
down_revision = "0001"
branch_labels = None
depends_on = None

SEALS = """
CREATE VIEW grafana.seals WITH (security_barrier) AS
SELECT room.id AS room_id, room.slug AS room, experiment.slug AS experiment, first.switch AS since,
       experiment.ends
FROM experiments AS experiment
JOIN LATERAL (
    SELECT min(arm.switch) AS switch FROM arms AS arm WHERE arm.experiment_id = experiment.id
) AS first ON first.switch IS NOT NULL
JOIN arms AS arm ON arm.experiment_id = experiment.id
JOIN rooms AS room ON room.id = arm.room_id
LEFT JOIN decisions AS decision ON decision.experiment_id = experiment.id
WHERE decision.experiment_id IS NULL
  AND experiment.starts IS NOT NULL
  AND first.switch <= (now() AT TIME ZONE 'UTC' + interval '14 hours')::date
  AND experiment.ends >= (now() AT TIME ZONE 'UTC' - interval '12 hours')::date
"""

ROOMS = """
CREATE VIEW grafana.rooms WITH (security_barrier) AS
SELECT room.slug AS room, room.name AS room_name, site.slug AS site, site.name AS site_name, room.floor,
       room.capacity, sealed.experiment AS sealed_by, sealed.since AS sealed_since,
       sealed.ends AS sealed_until
FROM rooms AS room
JOIN sites AS site ON site.id = room.site_id
LEFT JOIN LATERAL (
    SELECT seal.experiment, seal.since, seal.ends FROM grafana.seals AS seal WHERE seal.room_id = room.id
    ORDER BY seal.since LIMIT 1
) AS sealed ON true
"""

# CASE and not WHERE: the coverage of a sealed day shows, its value does not
OUTCOMES = """
CREATE VIEW grafana.outcomes WITH (security_barrier) AS
SELECT outcome.day, room.slug AS room, room.name AS room_name, site.name AS site_name, outcome.outcome,
       outcome.version, outcome.coverage, seal.since IS NOT NULL AS sealed,
       CASE WHEN seal.since IS NULL THEN outcome.value END AS value
FROM outcomes AS outcome
JOIN rooms AS room ON room.id = outcome.room_id AND room.capacity IS DISTINCT FROM 1
JOIN sites AS site ON site.id = room.site_id
LEFT JOIN (
    SELECT room_id, min(since) AS since FROM grafana.seals GROUP BY room_id
) AS seal ON seal.room_id = outcome.room_id AND seal.since <= outcome.day
"""

EXPERIMENTS = """
CREATE VIEW grafana.experiments WITH (security_barrier) AS
SELECT experiment.slug AS experiment, experiment.title, experiment.starts, arms.switch AS first_switch,
       experiment.ends, arms.treated AS treated_rooms, arms.baseline AS baseline_rooms,
       CASE
           WHEN decision.experiment_id IS NOT NULL THEN 'decided'
           WHEN experiment.starts IS NULL OR experiment.ends IS NULL THEN 'idea'
           WHEN EXISTS (
               SELECT FROM grafana.seals AS seal WHERE seal.experiment = experiment.slug
           ) THEN 'running'
           WHEN experiment.ends < (now() AT TIME ZONE 'UTC' - interval '12 hours')::date THEN 'ended'
           ELSE 'planned'
       END AS status,
       decision.decided_on, decision.choice
FROM experiments AS experiment
LEFT JOIN decisions AS decision ON decision.experiment_id = experiment.id
CROSS JOIN LATERAL (
    SELECT min(arm.switch) AS switch, count(arm.switch) AS treated, count(*) - count(arm.switch) AS baseline
    FROM arms AS arm WHERE arm.experiment_id = experiment.id
) AS arms
"""

# to the hour of UTC: the very minute a motion sensor last spoke would tell who is in a sealed room
DEVICES = """
CREATE VIEW grafana.devices WITH (security_barrier) AS
SELECT device.key AS device, device.gateway, device.label, device.heartbeat_minutes,
       date_trunc('hour', device.first_seen, 'UTC') AS first_seen,
       date_trunc('hour', device.last_seen, 'UTC') AS last_seen,
       room.slug AS room, room.name AS room_name, site.name AS site_name
FROM devices AS device
LEFT JOIN placements AS placement
       ON placement.device_key = device.key AND placement.start <= now()
      AND (placement."end" IS NULL OR placement."end" > now())
LEFT JOIN rooms AS room ON room.id = placement.room_id
LEFT JOIN sites AS site ON site.id = room.site_id
"""

QUARANTINE = """
CREATE VIEW grafana.quarantine WITH (security_barrier) AS
SELECT entry.code, entry.status, count(*) AS messages, min(entry.received_at) AS first_received,
       max(entry.received_at) AS last_received
FROM quarantine AS entry
GROUP BY entry.code, entry.status
"""

STALE_DAYS = """
CREATE VIEW grafana.stale_days WITH (security_barrier) AS
SELECT day, marked_at FROM stale_days
"""


def upgrade() -> None:
    """Apply, where the registry is a PostgreSQL; SQLite has nobody to grant to."""
    if op.get_bind().dialect.name != "postgresql":
        return
    # the roles script may have made it already, with Grafana's rights in it
    op.execute("DO $$ BEGIN IF to_regnamespace('grafana') IS NULL THEN CREATE SCHEMA grafana; END IF; END $$")
    for view in (SEALS, ROOMS, OUTCOMES, EXPERIMENTS, DEVICES, QUARANTINE, STALE_DAYS):
        op.execute(view)


def downgrade() -> None:
    """Take back; the schema stays, it may have been made by somebody else."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name in ("stale_days", "quarantine", "devices", "experiments", "outcomes", "rooms", "seals"):
        op.execute(f"DROP VIEW grafana.{name}")
