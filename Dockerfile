FROM python:3.13.11-slim-trixie AS build
WORKDIR /build
# Dependencies first: they change less often than the sources, so their layer is reused.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/orchestrator \
 && /opt/orchestrator/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: -r requirements.lock \
 && pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE worker.py ./
COPY contracts contracts
COPY workflows workflows
COPY activities activities
COPY starter starter
COPY runtime runtime
COPY operations operations
# Without isolation the build uses the hashed setuptools from above and fetches nothing.
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && /opt/orchestrator/bin/pip install --no-deps --no-index dist/*.whl

FROM python:3.13.11-slim-trixie
# A fixed number, so that the owner of files in a shared volume is the same in every release.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/orchestrator orchestrator \
 && install -d -o orchestrator -g orchestrator /var/lib/orchestrator /var/lib/orchestrator/images
COPY --from=build /opt/orchestrator /opt/orchestrator
ENV PATH=/opt/orchestrator/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/orchestrator
ENTRYPOINT ["orchestrator"]
