# The one image of every Témoin process: web, jobs, ingest. Runs as nobody in particular, writes to /data only.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/temoin
COPY service/deploy/requirements.lock ./requirements.lock
RUN /opt/temoin/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY service service
COPY sensors sensors
COPY experiments experiments
COPY dashboards dashboards
RUN /opt/temoin/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin temoin \
 && install -d -o temoin -g temoin -m 0750 /data
COPY --from=build /opt/temoin /opt/temoin
ENV PATH=/opt/temoin/bin:$PATH PYTHONUNBUFFERED=1 TEMOIN_DATA_DIR=/data TEMOIN_HOST=0.0.0.0
USER temoin
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["temoin"]
CMD ["serve"]
