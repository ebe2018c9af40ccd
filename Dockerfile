# The server: two bundled files on a distroless Node. It does not run as root and writes no files. For a release pin
# both images: --build-arg BUILD_IMAGE=node@sha256:... --build-arg RUN_IMAGE=...@sha256:... The bundle depends only on
# the sources and package-lock.json (test/unit/release); with BuildKit's --output type=image,rewrite-timestamp=true and
# SOURCE_DATE_EPOCH the image is reproducible as well.
ARG BUILD_IMAGE=node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# The install script of `node` (a binary of its own for machines with an old Node) and of esbuild are not needed here.
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY . .
RUN node scripts/build.ts admission

FROM ${RUN_IMAGE}
LABEL org.opencontainers.image.title=runners-admission org.opencontainers.image.licenses=Apache-2.0
COPY --from=build --chmod=0444 /src/dist/runners-admission*.mjs /app/
# The same settings as in admission/bin/runners-admission.
ENV MALLOC_ARENA_MAX=2
EXPOSE 9443 8081
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=2", "--optimize-for-size", "/app/runners-admission.mjs"]
