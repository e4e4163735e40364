# The gateway without build tools: wheels are installed in the first stage, the second only copies.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml README.md ./
COPY gateway gateway
RUN python -m venv /opt/gateway && /opt/gateway/bin/pip install --only-binary=:all: --no-binary=miniprogram-gateway .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/gateway --create-home --shell /usr/sbin/nologin gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1
USER gateway
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 8080
# The admin listener stays on loopback, inside the container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
# Mount the settings read-only; `gateway check -c …` says beforehand whether they are good.
CMD ["gateway", "serve", "-c", "/etc/gateway/gateway.yaml"]
