# Sourced by dashboards/check, dashboards/draw, deploy/prometheus/check and tests/incidents/run, in the repository's root: installs what
# they need into $work.
# shellcheck shell=bash disable=SC2154

# `install_debian PROGRAM PACKAGE`: unpacks the Debian package, and does not install it: that would start a service on its port.
install_debian() {
    local program=$1 package=$2
    if ! command -v "$program" >/dev/null && [ ! -x "$work/prometheus/usr/bin/$program" ]; then
        command -v apt-get >/dev/null || fail "$program is missing, and there is no apt-get: install it by hand"
        local sudo=
        [ "$(id -u)" -eq 0 ] || sudo=sudo
        echo "installing $package into $work/prometheus"
        mkdir -p "$work/prometheus"
        (
            cd "$work/prometheus"
            apt-get -qq download "$package" 2>/dev/null || { $sudo apt-get -qq update && apt-get -qq download "$package"; }
            dpkg -x "$package"_*.deb .
        ) || fail "$package could not be installed"
    fi
    export PATH="$PATH:$PWD/$work/prometheus/usr/bin"
    command -v "$program" >/dev/null || fail "$program is missing"
}
install_prometheus() { install_debian prometheus prometheus; }

# Debian's Alertmanager reads its default templates only from the path where the package puts them.
install_alertmanager() {
    local templates=usr/share/prometheus/alertmanager sudo=
    install_debian prometheus-alertmanager prometheus-alertmanager
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    [ -e "/$templates/email.tmpl" ] || $sudo install -D -m 644 -t "/$templates" "$work/prometheus/$templates"/*.tmpl ||
        fail "/$templates is missing: install prometheus-alertmanager by hand"
}

# `install_node NAME OPTION…`: installs the locked packages of tests/dashboards/NAME into $work/dashboards-NAME.
install_node() {
    local from=$tools/$1 into=$work/dashboards-$1 wanted
    shift
    # Those that tests/run has installed where the machine's are too old.
    [ ! -d "$work/nodejs/node_modules/.bin" ] || PATH="$PWD/$work/nodejs/node_modules/.bin:$PATH"
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
