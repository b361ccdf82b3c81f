# What serves, and nothing that trains. Models and state are volumes; docs/operations.md says how to run it.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
RUN python3 -m venv /opt/sepal
COPY requirements-serve.lock .
# Left out: setuptools, which older Pythons bring, the packages' own tests, a fifth of their size, and what of Arrow
# connects to other machines, or is a second and a third copy of a library under another name.
RUN /opt/sepal/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-serve.lock \
    && /opt/sepal/bin/pip uninstall --quiet --yes setuptools \
    && find /opt/sepal -type d -name tests -prune -exec rm -r {} + \
    && rm -r /opt/sepal/lib/python3*/site-packages/pyarrow/include \
    && find /opt/sepal/lib/python3*/site-packages/pyarrow \
        -regex '.*/libarrow_\(flight\|s3\)\..*\|.*/lib[a-z_]*\.so\(\.[0-9]+\.[0-9.]+\)?' -delete \
    && rm requirements-serve.lock
COPY artifacts artifacts
COPY serve serve
# Where the root is read-only, nothing can be compiled later.
RUN /opt/sepal/bin/python -m compileall -q .

# The same base: an environment works only where its Python is.
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="sepal" \
      org.opencontainers.image.description="Serves scikit-learn models on tabular data over HTTP." \
      org.opencontainers.image.licenses="MIT"
# A volume takes its owner from here. The server reads models, and writes nothing but its state.
RUN install -d -o 10001 -g 10001 -m 700 /data && install -d /models
COPY --from=build /opt/sepal /opt/sepal
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/sepal/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEPAL_ARTIFACTS=/models \
    SEPAL_ENVIRONMENT=production \
    SEPAL_HOME=/app \
    SEPAL_HOST=0.0.0.0 \
    SEPAL_PORT=8000 \
    SEPAL_STATE=/data
VOLUME ["/models", "/data"]
EXPOSE 8000
# A number: an orchestrator that wants "not root" cannot look names up.
USER 10001:10001
# http.client, because urllib would ask a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "\
import http.client, os, sys; \
c = http.client.HTTPConnection('127.0.0.1', int(os.environ['SEPAL_PORT']), timeout=5); \
c.request('GET', '/health/ready'); \
sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "serve", "run"]
