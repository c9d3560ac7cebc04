# One image: serves and migrates. All base images are arguments, for platforms that keep their own.
ARG RUST_IMAGE=docker.io/library/rust:1-bookworm
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${NODE_IMAGE} AS node

FROM ${RUST_IMAGE} AS build
COPY --from=node /usr/local/ /usr/local/
WORKDIR /fairway
COPY . .
RUN npm ci --no-audit --no-fund --prefix e2e && node e2e/stack/release.mjs /out

FROM ${BASE_IMAGE}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /
ENV FAIRWAY_LISTEN=0.0.0.0:3000 FAIRWAY_SITE_ROOT=/usr/share/fairway/site FAIRWAY_LOG_FORMAT=json
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 3000
ENTRYPOINT ["/usr/bin/fairway"]
CMD ["serve"]
