#!/bin/sh
# Installs what the tests need besides Python packages: Node.js with npm, Chromium, Firefox, Redis, nginx, Caddy,
# HAProxy, PHP, Java with Maven, systemd and a C compiler.
# As root on Debian it does so by itself; elsewhere it says what is missing and goes on: those tests are skipped on a
# laptop and fail in CI.
set -eu

packages=''
command -v node >/dev/null 2>&1 || packages="$packages nodejs"
command -v npm >/dev/null 2>&1 || packages="$packages npm"
command -v chromium >/dev/null 2>&1 || packages="$packages chromium"
command -v firefox-esr >/dev/null 2>&1 || command -v firefox >/dev/null 2>&1 || packages="$packages firefox-esr"
command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1 || packages="$packages redis-server"
command -v redis-cli >/dev/null 2>&1 || command -v valkey-cli >/dev/null 2>&1 || packages="$packages redis-tools"
command -v cc >/dev/null 2>&1 || packages="$packages gcc libc6-dev"
command -v systemd-analyze >/dev/null 2>&1 || packages="$packages systemd"
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || packages="$packages nginx-light"
command -v caddy >/dev/null 2>&1 || packages="$packages caddy"
php -m 2>/dev/null | grep -q curl || packages="$packages php-cli php-curl"
command -v javac >/dev/null 2>&1 || packages="$packages default-jdk-headless"
command -v mvn >/dev/null 2>&1 || packages="$packages maven"
command -v haproxy >/dev/null 2>&1 || [ -x /usr/sbin/haproxy ] || packages="$packages haproxy"

[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $packages fonts-dejavu-core >/dev/null
else
    echo "not installed:$packages — on Debian run: sudo apt-get install$packages" >&2
fi
