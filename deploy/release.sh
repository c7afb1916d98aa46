# Sourced in the root of the repository: how closewatch is built for others. deploy/dist, the Dockerfile and the long tests take their
# binary from here, so that what is tested is what ships.
# shellcheck shell=bash

# A target directory of its own, because other flags would rebuild everything in `target/`.
readonly release_target=${RELEASE_TARGET:-target/ship}

# `release_cargo ARGUMENT…` runs cargo with flags that keep the folders of this machine out of the binary. Two builds are then equal
# byte for byte, wherever the sources and the registry are (tests/reproduce).
release_cargo() {
    local home=${CARGO_HOME:-$HOME/.cargo}
    local -x CARGO_TARGET_DIR=$release_target
    # \x1f separates flags, so that the name of a folder may have spaces.
    local -x CARGO_ENCODED_RUSTFLAGS=--remap-path-prefix=$home=/cargo$'\x1f'--remap-path-prefix=$PWD=/closewatch
    # For the C of jemalloc and aws-lc.
    local -x CFLAGS="-ffile-prefix-map=$home=/cargo -ffile-prefix-map=$PWD=/closewatch"
    # arm64 kernels have pages of 4, 16 or 64 KiB. jemalloc takes its page size when it is built, and aborts at the start if the
    # kernel's is larger: 2^16 is right for all three.
    if [ "$(uname -m)" = aarch64 ]; then local -x JEMALLOC_SYS_WITH_LG_PAGE=16; fi
    cargo "$@"
}

# `split_symbols BINARY FOLDER` puts the stripped binary and its debug symbols into FOLDER, as closewatch and closewatch.debug. A
# debugger finds the second one beside the first.
split_symbols() {
    mkdir -p "$2"
    objcopy --only-keep-debug "$1" "$2/closewatch.debug"
    chmod 644 "$2/closewatch.debug"
    # objcopy takes the name of the symbols as it is given.
    (cd "$2" && objcopy --strip-all --add-gnu-debuglink=closewatch.debug "$OLDPWD/$1" closewatch)
}
