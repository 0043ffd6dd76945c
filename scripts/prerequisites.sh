#!/bin/sh
# Names a prerequisite that is missing or too old, in one line: `sh scripts/prerequisites.sh PYTHON [terraform]`.
# Plain sh, and for the version Python that Python 2 reads too, because this runs where nothing is known yet.
set -eu

python=$1
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

fail() {
    echo "$1" >&2
    exit 1
}

if ! "$python" -c "$new_enough" 2>/dev/null; then
    if "$python" -c '' 2>/dev/null; then
        found="$python is $("$python" -c 'import platform; print(platform.python_version())')"
    else
        found="$python is not installed"
    fi
    for other in python3.14 python3.13 python3.12 python3.11; do
        if "$other" -c "$new_enough" 2>/dev/null; then
            fail "$found, and Goldsmith needs Python 3.11 or newer: $other is here, add PYTHON=$other"
        fi
    done
    fail "$found, and Goldsmith needs Python 3.11 or newer: install it, then add PYTHON=<its command>"
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    fail "$python comes without venv, which Goldsmith needs: on Debian and Ubuntu, apt-get install python3-venv"
fi
if [ "${2:-}" = terraform ]; then
    exec "$python" -m scripts.terraform
fi
