FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node scripts/build.ts admission

FROM gcr.io/distroless/nodejs24-debian12:nonroot
COPY --from=build /src/dist/runners-admission.mjs /app/runners-admission.mjs
# As admission/bin/runners-admission has it.
ENV MALLOC_ARENA_MAX=2
EXPOSE 9443 8081
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=2", "--optimize-for-size", "/app/runners-admission.mjs"]
