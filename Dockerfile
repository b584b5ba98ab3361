# genlock as a service: docker build -t genlock . && docker run --init -p 127.0.0.1:8080:8080 -v genlock:/var/lib/genlock genlock
# Everything that is installed is checked against a hash. `--target fly` is for volumes that belong to root.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /opt/genlock && python -m venv /opt/build
COPY packaging/requirements.lock packaging/build.lock ./
RUN /opt/genlock/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
RUN /opt/build/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/genlock/bin/python -m pip install --quiet --no-deps wheels/genlock-*.whl \
    && /opt/genlock/bin/python -m pip uninstall --quiet --yes pip

FROM python:${PYTHON}-slim AS service
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/genlock --shell /usr/sbin/nologin genlock \
    && install --directory --owner genlock --group genlock --mode 0700 /var/lib/genlock
COPY --from=build /opt/genlock /opt/genlock
ENV PATH=/opt/genlock/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GENLOCK_HOME=/var/lib/genlock GENLOCK_HOST=0.0.0.0 GENLOCK_PORT=8080
WORKDIR /var/lib/genlock
USER genlock
VOLUME /var/lib/genlock
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"GENLOCK_PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["genlock"]
CMD ["serve"]

FROM service AS fly
USER root
ENTRYPOINT ["sh", "-c", "chown genlock:genlock /var/lib/genlock && exec setpriv --reuid=genlock --regid=genlock --init-groups genlock \"$@\"", "genlock"]

FROM service
