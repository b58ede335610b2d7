"""`/api/v1`: the same as the pages, for programs; one router a noun, all for whoever is signed in.

What gateways send comes with their token instead: `by_token`.
"""

from __future__ import annotations

from fastapi import APIRouter

from service.api import devices, documentation, experiments, gateways, quarantine, readings, rooms

router = APIRouter()
for noun in (rooms, devices, gateways, experiments, quarantine):
    router.include_router(noun.router, responses=documentation.REFUSALS)
router.include_router(documentation.router)
by_token = readings.router
