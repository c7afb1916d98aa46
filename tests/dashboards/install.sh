# Sourced by dashboards/check and dashboards/draw, in the repository's root: installs what they need into $work.
# shellcheck shell=bash disable=SC2154

# Prometheus as Debian packages it, unpacked but not installed: installing it would start a service on port 9090.
install_prometheus() {
    if ! command -v prometheus >/dev/null && [ ! -x "$work/prometheus/usr/bin/prometheus" ]; then
        command -v apt-get >/dev/null || fail "prometheus is missing, and there is no apt-get: install it by hand"
        local sudo=
        [ "$(id -u)" -eq 0 ] || sudo=sudo
        echo "installing Prometheus into $work/prometheus"
        mkdir -p "$work/prometheus"
        (
            cd "$work/prometheus"
            apt-get -qq download prometheus 2>/dev/null || { $sudo apt-get -qq update && apt-get -qq download prometheus; }
            dpkg -x prometheus_*.deb .
        ) || fail "Prometheus could not be installed"
    fi
    export PATH="$PATH:$PWD/$work/prometheus/usr/bin"
    command -v prometheus >/dev/null || fail "prometheus is missing"
}

# `install_node NAME OPTION…`: the packages of tests/dashboards/NAME, as its lock file says, into $work/dashboards-NAME.
install_node() {
    local from=$tools/$1 into=$work/dashboards-$1 wanted
    shift
    command -v node >/dev/null && command -v npm >/dev/null || fail "node and npm are missing: tests/run installs them"
    node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || fail "node $(node --version) is too old: 20 or newer is needed"
    wanted=$({ node --version; echo "$*"; } | cat - "$from/package.json" "$from/package-lock.json" | sha256sum)
    if [ "$(cat "$into/.stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "installing the packages of $from into $into"
        rm -rf "$into"
        mkdir -p "$into"
        cp "$from/package.json" "$from/package-lock.json" "$into/"
        npm --prefix "$into" ci "$@" --ignore-scripts --no-audit --no-fund --loglevel=error ||
            fail "npm could not install the packages of $from"
        printf '%s\n' "$wanted" >"$into/.stamp"
    fi
}
