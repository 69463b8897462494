# The image of the controller, for those who have a container engine. `make image` writes the same image without one.
#
#   docker build --build-arg VERSION=v0.1.0 --tag ghcr.io/sluice-dev/sluice:v0.1.0 .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
ARG VERSION=v0.1.0-dev
WORKDIR /src
# Modules first: they change seldom, and this layer is then taken from the cache.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Static and without paths of this machine: the same commit gives the same bytes.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /sluice ./cmd/sluice

FROM scratch
# Certificate authorities, for a Prometheus behind https.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /sluice /sluice
# The number and not a name: runAsNonRoot can only be checked against a number.
USER 65532:65532
ENTRYPOINT ["/sluice"]
