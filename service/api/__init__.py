"""`/api/v1`: the same as the pages, for programs; one router a noun, all for whoever is signed in.

What gateways send comes with their token instead: `by_token`.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends

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
from service.auth import change_checked

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
    router.include_router(noun, responses=documentation.REFUSALS, dependencies=[Depends(change_checked)])
router.include_router(documentation.router)
by_token = readings.router
