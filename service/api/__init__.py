"""`/api/v1`: the same as the pages, for programs; one router a noun, all for whoever is signed in.

What gateways send comes with their token instead: `by_token`.
"""

from __future__ import annotations

from fastapi import APIRouter

from service.api import (
    account,
    changes,
    device_health,
    devices,
    documentation,
    experiments,
    exports,
    gateways,
    imports,
    people,
    placements,
    quarantine,
    readings,
    rooms,
    shares,
    sites,
    today,
    trials,
    weeks,
)

NOUNS = (
    today.router,
    sites.router,
    rooms.router,
    weeks.router,
    devices.router,
    devices.photos,
    placements.router,
    device_health.router,
    gateways.router,
    experiments.router,
    trials.router,
    shares.router,
    quarantine.router,
    imports.router,
    exports.router,
    changes.router,
    people.router,
    account.router,
)
router = APIRouter()
for noun in NOUNS:
    router.include_router(noun, responses=documentation.REFUSALS)
router.include_router(documentation.router)
by_token = readings.router
