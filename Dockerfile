# One image for every service of the agent; docker-compose.yml says which service a container runs.
ARG PYTHON_IMAGE=python:3.13.16-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# An index of Python packages of your own; empty: the usual one.
ARG PIP_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.txt requirements/image.txt ./
# Only locked versions with known checksums. /opt/agent is what the image keeps: it has no pip.
RUN python -m venv tools \
 && tools/bin/pip install --quiet --no-deps --require-hashes --only-binary :all: -r build.txt \
 && python -m venv --without-pip /opt/agent \
 && tools/bin/pip --python /opt/agent/bin/python install --quiet --no-deps --require-hashes --only-binary :all: -r image.txt
COPY shared shared
COPY services services
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheels ./shared ./services/* \
 && tools/bin/pip --python /opt/agent/bin/python install --quiet --no-index --no-deps wheels/*.whl
# Each folder becomes a volume, which takes over its owner: what one service may read, another cannot see.
RUN cd /opt && mkdir -p secrets/postgres secrets/redis secrets/services secrets/control secrets/grafana

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="BTC trading agent" org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/agent /opt/agent
COPY --from=build --chown=10001:10001 /opt/secrets /secrets
ENV PATH=/opt/agent/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 10001:10001
