#!/bin/sh
# Puts promtool into a directory, out of Debian's package of Prometheus, which is not installed: it would start a server.
# Elsewhere it does nothing, and the test that needs it is skipped.
set -eu

command -v promtool >/dev/null 2>&1 && exit 0
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then exit 0; fi
bin=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
if apt-get download -qq prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb unpacked; then
    cp unpacked/usr/bin/promtool "$bin/promtool"
else
    echo 'promtool cannot be had; the rules for Prometheus are not checked' >&2
fi
