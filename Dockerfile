# The gateway without build tools: wheels are installed in the first stage, the second only copies.
# What is installed is pinned by its hash; `make lock` writes the two files anew.
# The base image is named by its tag, so that it gets its security updates. Whoever builds for
# production names the digest that was tried: --build-arg PYTHON_IMAGE=python@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/gateway \
    && /opt/gateway/bin/pip install --only-binary=:all: --require-hashes -r requirements.lock
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --only-binary=:all: --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY gateway gateway
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
    && /opt/gateway/bin/pip install --no-deps --no-index /opt/wheel/*.whl \
    && /opt/gateway/bin/pip check

FROM ${PYTHON_IMAGE}
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
