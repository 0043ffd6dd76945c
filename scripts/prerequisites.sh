#!/bin/sh
# Reports a prerequisite that is missing or too old, in one line: `sh scripts/prerequisites.sh PYTHON [terraform] [git]`.
# It is plain sh, and its Python also runs in Python 2, because nothing is known about the machine yet.
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
    fail "$python has no module venv, which Goldsmith needs: on Debian and Ubuntu, apt-get install python3-venv"
fi
shift
for program; do
    "$python" -m "scripts.$program"
done
