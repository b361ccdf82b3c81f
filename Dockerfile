# The image of the server, without training. Models and state are volumes; docs/operations.md describes how to run it.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
RUN python3 -m venv /opt/sepal
COPY requirements-serve.lock .
# Deleted: setuptools, which older Python versions install; the packages' own tests, a fifth of their size; and the parts
# of Arrow that connect to other machines or are second and third copies of a library under another name.
RUN /opt/sepal/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-serve.lock \
    && /opt/sepal/bin/pip uninstall --quiet --yes setuptools \
    && find /opt/sepal -type d -name tests -prune -exec rm -r {} + \
    && rm -r /opt/sepal/lib/python3*/site-packages/pyarrow/include \
    && find /opt/sepal/lib/python3*/site-packages/pyarrow \
        -regex '.*/libarrow_\(flight\|s3\)\..*\|.*/lib[a-z_]*\.so\(\.[0-9]+\.[0-9.]+\)?' -delete \
    && rm requirements-serve.lock
COPY artifacts artifacts
COPY serve serve
# On a read-only root file system nothing can be compiled later.
RUN /opt/sepal/bin/python -m compileall -q .

# The same base image, because an environment works only with its Python.
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="sepal" \
      org.opencontainers.image.description="Serves scikit-learn models on tabular data over HTTP." \
      org.opencontainers.image.licenses="MIT"
# A volume gets its owner from here. The server reads models, and writes only its state.
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
# A number, because an orchestrator that checks for "not root" cannot look up names.
USER 10001:10001
# http.client, because urllib would use a proxy from the environment.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "\
import http.client, os, sys; \
c = http.client.HTTPConnection('127.0.0.1', int(os.environ['SEPAL_PORT']), timeout=5); \
c.request('GET', '/health/ready'); \
sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "serve", "run"]
