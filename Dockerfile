# The one image of every Témoin process: web, jobs, ingest, backup. Runs as user 10001, on a read-only root, and
# writes to its volumes and /tmp only. Built where a package index can be reached: docker compose build.
FROM python:3.13.15-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/temoin
COPY service/deploy/requirements.lock service/deploy/build.lock ./
RUN pip --python /opt/temoin install --require-hashes --only-binary=:all: -r requirements.lock \
 && pip install --require-hashes --only-binary=:all: -r build.lock
COPY pyproject.toml README.md ./
COPY service service
COPY sensors sensors
COPY experiments experiments
COPY dashboards dashboards
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && pip --python /opt/temoin install --no-deps /wheel/*.whl

FROM python:3.13.15-slim-trixie
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin temoin \
 && install -d -o temoin -g temoin -m 0750 /data /keys /access /backup \
 && pip uninstall --yes --root-user-action=ignore pip
COPY --from=build /opt/temoin /opt/temoin
ENV PATH=/opt/temoin/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TEMOIN_DATA_DIR=/data TEMOIN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["temoin"]
CMD ["serve"]
