# Sourced in the root of the repository, after a function `fail` is defined. Installs peers into .work/, and missing Debian packages.
# shellcheck shell=bash

readonly work=.work
readonly peers=tests/peers
readonly autobahn_version=25.10.1
readonly node_version=22.23.5 npm_version=10.9.4
mkdir -p "$work"

# Installs the named Debian packages. The package lists are fetched once in a run, and only if a package is missing.
lists_fetched=no
debian() {
    command -v apt-get >/dev/null || fail "cannot install $*: no apt-get here, install it by hand"
    local sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    if [ "$lists_fetched" = no ]; then
        $sudo apt-get -qq update
        lists_fetched=yes
    fi
    echo "installing $*"
    DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq install -y --no-install-recommends "$@" >/dev/null ||
        fail "apt-get could not install $*"
}

# `unpacked NAME PACKAGE…`: unpacks the packages into .work/NAME. Nothing is configured or started on the machine.
unpacked() {
    local into=$work/$1 sudo=
    shift
    stale "${into#"$work/"}" "$@" || return 0
    echo "fetching $*"
    command -v apt-get >/dev/null || fail "cannot fetch $*: no apt-get here"
    rm -rf "$into"
    mkdir -p "$into"
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    (
        cd "$into"
        apt-get -qq download "$@" 2>/dev/null || { $sudo apt-get -qq update && apt-get -qq download "$@" 2>/dev/null; }
        for package in *.deb; do dpkg -x "$package" . && rm "$package"; done
    ) || fail "apt-get could not fetch $*"
    stamp "${into#"$work/"}" "$@"
}

# `stale NAME INPUT…`: succeeds if NAME was made from other inputs, or does not exist. `stamp` notes the inputs.
stamp_of() { printf '%s\n' "$@" | sha256sum | cut -d' ' -f1; }
stale() {
    local name=$1
    shift
    [ "$(cat "$work/$name/.stamp" 2>/dev/null)" != "$(stamp_of "$@")" ]
}
stamp() {
    local name=$1
    shift
    stamp_of "$@" >"$work/$name/.stamp"
}

# Puts Node 20 or newer on the PATH, with npm: the machine's, or else one of the npm registry in .work/nodejs. Debian 12 has Node 18.
newer_node() {
    local own=$work/nodejs versions=("$node_version" "$npm_version")
    command -v node >/dev/null && command -v npm >/dev/null || debian nodejs npm
    ! is_new_enough || return 0
    if stale nodejs "${versions[@]}"; then
        echo "installing node $node_version, as $(node --version) is too old for the Node peers"
        rm -rf "$own"
        mkdir -p "$own"
        npm --prefix "$own" install --ignore-scripts --no-audit --no-fund --loglevel=error \
            "node-linux-$(node -p process.arch)@$node_version" "npm@$npm_version" >/dev/null ||
            fail "npm could not install node: install Node 20 or newer by hand"
        stamp nodejs "${versions[@]}"
    fi
    export PATH="$PWD/$own/node_modules/.bin:$PATH"
    is_new_enough || fail "$own has no Node that runs here: install Node 20 or newer by hand"
}
is_new_enough() { node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; }

# `node_packages NAME FOLDER`: installs FOLDER/package-lock.json into .work/NAME.
node_packages() {
    local name=$1 from=$2 inputs
    newer_node
    inputs=("$(node --version)" "$(cat "$from/package.json" "$from/package-lock.json")")
    if stale "$name" "${inputs[@]}"; then
        echo "installing the packages of $from/package-lock.json"
        rm -rf "${work:?}/$name"
        mkdir -p "$work/$name"
        cp "$from/package.json" "$from/package-lock.json" "$work/$name/"
        npm --prefix "$work/$name" ci --ignore-scripts --no-audit --no-fund --loglevel=error ||
            fail "npm could not install the packages of $from"
        stamp "$name" "${inputs[@]}"
    fi
}

# `python_packages NAME REQUIREMENTS`: makes a virtual environment with them in .work/NAME.
python_packages() {
    local name=$1 requirements=$2 inputs
    command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$(python3 --version) is too old for the Python peers: 3.11 or newer is needed"
    inputs=("$(python3 -c 'import sys; print(sys.executable, sys.version)')" "$(cat "$requirements")")
    if stale "$name" "${inputs[@]}"; then
        echo "installing the packages of $requirements"
        rm -rf "${work:?}/$name"
        python3 -m venv "$work/$name"
        "$work/$name/bin/python" -m pip install --quiet --requirement "$requirements" ||
            fail "pip could not install the packages of $requirements"
        stamp "$name" "${inputs[@]}"
    fi
}

# rotel, a collector among the Python packages, is linked with libpython, which Debian's python3 does without.
rotel_library() {
    local agent=("$work"/python/lib/python3.*/site-packages/rotel/rotel-agent)
    ! "${agent[0]}" --version >/dev/null 2>&1 || return 0
    debian "libpython$("$work/python/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    "${agent[0]}" --version >/dev/null || fail "rotel does not start"
}

# The stacks and tools that tests/run needs.
usual_peers() {
    command -v openssl >/dev/null || debian openssl
    command -v systemd-socket-activate >/dev/null || debian systemd
    node_packages node "$peers"
    python_packages python "$peers/requirements.txt"
    rotel_library
    [ -x /usr/bin/chromium ] || debian chromium
}

# `compiled NAME SOURCE COMMAND…`: runs COMMAND, which makes .work/NAME/… from SOURCE, if SOURCE has changed.
compiled() {
    local name=$1 source=$2
    shift 2
    if stale "$name" "$(cat "$source")" "$*"; then
        echo "compiling $source"
        rm -rf "${work:?}/$name"
        mkdir -p "$work/$name"
        "$@" || fail "$source does not compile"
        stamp "$name" "$(cat "$source")" "$*"
    fi
}

beast_peer() {
    command -v g++ >/dev/null || debian g++
    [ -e /usr/include/boost/beast.hpp ] || debian libboost-dev
    compiled beast "$peers/beast.cpp" g++ -std=c++17 -O1 -pthread -o "$work/beast/server" "$peers/beast.cpp"
}

gorilla_peer() {
    command -v go >/dev/null || debian golang-go
    [ -d /usr/share/gocode/src/github.com/gorilla/websocket ] || debian golang-github-gorilla-websocket-dev
    compiled gorilla "$peers/gorilla.go" env GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOTOOLCHAIN=local \
        GOCACHE="$PWD/$work/gorilla/cache" go build -o "$work/gorilla/peer" "$peers/gorilla.go"
}

# The Autobahn Testsuite. It needs Python 2.7: PYTHON27, `python2.7` on the PATH, or that of pyenv.
autobahn_suite() {
    local python='' candidate suite=$work/autobahn/suite
    local -x PIP_NO_PYTHON_VERSION_WARNING=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONWARNINGS=ignore
    for candidate in "${PYTHON27:-python2.7}" "$(PYENV_VERSION=2.7.18 pyenv which python2.7 2>/dev/null)"; do
        [ -n "$python" ] || python=$("$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null || true)
    done
    [ -n "$python" ] || fail "the Autobahn Testsuite needs Python 2.7: 'pyenv install 2.7.18', or PYTHON27=/path/to/python2.7"
    if stale autobahn/suite "$python" "$autobahn_version"; then
        echo "installing the Autobahn Testsuite $autobahn_version"
        rm -rf "$suite"
        mkdir -p "$suite"
        # Python 2.7 has no venv.
        "$python" -m pip install --quiet --target "$suite/boot" 'virtualenv<20.22' &&
            PYTHONPATH=$suite/boot "$python" -m virtualenv --quiet "$suite/venv" &&
            "$suite/venv/bin/pip" install --quiet "autobahntestsuite==$autobahn_version" ||
            fail "pip could not install the Autobahn Testsuite"
        stamp autobahn/suite "$python" "$autobahn_version"
    fi
}

# All stacks of the interop matrix.
all_peers() {
    usual_peers
    beast_peer
    gorilla_peer
    command -v javac >/dev/null || debian openjdk-17-jdk-headless
    compiled java "$peers/JavaClient.java" javac -d "$work/java" "$peers/JavaClient.java"
    perl -MMojolicious -e 1 2>/dev/null || debian libmojolicious-perl
    command -v ruby >/dev/null && ruby -e 'require "em-websocket"' 2>/dev/null || debian ruby ruby-em-websocket
    command -v erlc >/dev/null || debian erlang-base
    erl -noinput -eval 'halt(lists:max([1 || A <- [crypto, ssl], code:lib_dir(A) =:= {error, bad_name}] ++ [0])).' ||
        debian erlang-crypto erlang-ssl
    # Debian ships cowboy only inside RabbitMQ.
    unpacked cowboy rabbitmq-server
    compiled cowboy-server "$peers/interop_cowboy.erl" erlc -o "$work/cowboy-server" "$peers/interop_cowboy.erl"
}
