# The image of quackbridge: the program, and nothing that needs root, a writable disk or a start script.
# State and configuration are in /data:
#   docker run -it --rm -v ./duck:/data IMAGE setup       # once
#   docker run -d --read-only --tmpfs /tmp -v ./duck:/data IMAGE
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY share share
COPY bridge bridge
COPY bots bots
RUN python -m venv /opt/quackbridge \
    && /opt/quackbridge/bin/pip install --no-cache-dir --disable-pip-version-check '.[postgres]' \
    && /opt/quackbridge/bin/pip uninstall --yes pip setuptools \
    && python -m compileall -q /opt/quackbridge/lib

FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="quackbridge" \
      org.opencontainers.image.description="A Matrix-IRC bridge with a duck: one allowlist, a durable outbox, nothing lost" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/quackbridge /opt/quackbridge
ENV PATH=/opt/quackbridge/bin:$PATH \
    QUACKBRIDGE_CONFIG=/data/config.yaml \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /data
VOLUME /data
# Any other user works as well, if /data is theirs
USER 10001:10001
# Whether the process works, not whether the networks do: a netsplit is no reason to start it again
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["quackbridge", "healthcheck"]
ENTRYPOINT ["quackbridge"]
CMD ["run"]
