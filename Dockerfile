# syntax=docker/dockerfile:1

FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION="" DATE=""
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.dateBuilt=$DATE" -o /buildmon .

# Alpine rather than an empty image: for the certificates of TLS and the time
# zones of Bloblang, and for wget, which asks the process itself whether it is
# ready.
FROM alpine:3.22
RUN apk add --no-cache ca-certificates tzdata && adduser -D -u 10001 buildmon
COPY --from=build /buildmon /usr/local/bin/buildmon
COPY pipelines /pipelines
USER buildmon
WORKDIR /home/buildmon
EXPOSE 4195
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD wget -q -O /dev/null http://127.0.0.1:4195/ready
ENTRYPOINT ["buildmon"]
# The default address of the HTTP server is loopback, which ends at the container.
CMD ["run", "--set", "http.address=0.0.0.0:4195", "/pipelines/monitor.yaml"]
