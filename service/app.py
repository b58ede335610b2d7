"""One place wires everything: settings, registry, store, routes. Nothing is opened before it is needed."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service import api, health
from service.auth import may_upload, named, signed_in
from service.errors import handle_errors
from service.images import MOST_BYTES
from service.imports import MOST_BYTES as MOST_FILE
from service.intake import Intake
from service.middleware import BodyLimit, Noted, SecurityHeaders, Unchanged
from service.monitoring import Monitoring
from service.oidc import Provider
from service.registry import Registry
from service.river import open_store
from service.throttle import Turns
from service.web import (
    account,
    api_docs,
    audit,
    device_health,
    experiments,
    exports,
    form,
    gateways,
    glossary,
    home,
    imports,
    owners,
    passwords,
    people,
    quarantine,
    rooms,
    second_factor,
    security_txt,
    shares,
    sign_in,
    sign_in_oidc,
    sites,
)
from service.web import devices as device_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sensors.store import ReadingStore
    from service.settings import Settings

UPLOADS = {"/device/photo": MOST_BYTES + 10_000, "/import": MOST_FILE + 10_000, "/api/v1/imports": MOST_FILE}
PUBLIC = (
    form.router,
    home.public,
    sign_in_oidc.public,  # before the links of sign_in, whose addresses look the same
    sign_in.public,
    passwords.public,
    shares.public,
    security_txt.public,
    health.router,
    api.by_token,
)
PRIVATE = (
    home.router,
    glossary.router,
    experiments.router,
    owners.router,
    shares.router,
    rooms.router,
    device_health.router,
    device_pages.router,
    sites.router,
    gateways.router,
    quarantine.router,
    exports.router,
    imports.router,
    people.router,
    account.router,
    second_factor.router,
    audit.router,
    api_docs.router,
    sign_in.router,
    api.router,
)


def create_app(
    settings: Settings, registry: Registry | None = None, store: ReadingStore | None = None
) -> FastAPI:
    """The pages, the form and the API. A registry or store that is given stays the caller's to close."""
    own_registry = registry is None
    own_store = store is None
    registry = registry or Registry(settings.registry_url)
    store = store or open_store(settings)

    intake = Intake(settings, registry)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        moving = threading.Thread(target=intake.move, args=(stop,), name="intake")
        moving.start()
        yield
        stop.set()
        await run_in_threadpool(moving.join)
        intake.close()
        if own_store:
            store.close()
        if own_registry:
            registry.close()

    app = FastAPI(title="Témoin", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings, app.state.registry, app.state.store = settings, registry, store
    app.state.intake = intake
    app.state.monitoring = Monitoring(settings, registry, intake)
    app.state.oidc = Provider(settings) if settings.oidc_issuer else None
    app.state.hashing = Turns(sign_in.HASHING, sign_in.WAITING)
    app.state.throttles = sign_in.throttles() | {
        "readings": api.readings.limits(),
        "share": shares.limits(),
    }
    for router in PUBLIC:
        app.include_router(router)
    for router in PRIVATE:
        app.include_router(router, dependencies=[Depends(signed_in), Depends(named)])
    handle_errors(app)
    _surround(app, settings)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """The layers around every request; the last one added is the outermost."""
    app.add_middleware(Unchanged, below="/api/v1/")
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, larger=UPLOADS, admit=may_upload)
    app.add_middleware(SecurityHeaders, https=settings.secure)
    app.add_middleware(Noted, monitoring=app.state.monitoring)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
