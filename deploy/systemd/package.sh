# shellcheck shell=bash
# The program: its package is built here for this machine's Python, and installed. Part of `install`.

# An installation by hand, as earlier versions described it: its unit would hide the package's.
old_unit=/etc/systemd/system/envoy-logger.service
old_program=/opt/envoy-logger
old_unit_link=/etc/systemd/system/multi-user.target.wants/envoy-logger.service
old_command=/usr/local/bin/envoy-logger

install_program() {
    local needed=(ca-certificates python3 python3-venv) missing=() package
    if [ "$(dpkg --print-architecture)" = armhf ]; then
        needed+=(gcc python3-dev libffi-dev)  # one library is compiled there
    fi
    for package in "${needed[@]}"; do
        has_package "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        do_it "Installing what the build needs: ${missing[*]}" install_from_debian "${missing[@]}"
    fi
    do_it "Building the package envoy-logger for this machine's Python (some minutes on a Raspberry Pi)" build_package
    do_it "Installing it: the program, its service and its commands" install_package
    remove_old_layout
    remove_root_owned_leftovers
}

install_from_debian() {
    if ! apt-get update -qq || ! apt-get install -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >/dev/null; then
        fail "apt-get could not install $*." "what the lines above say; then this command again: it goes on where it ended."
    fi
}

build_package() {
    packages=$(mktemp -d)
    trap 'rm -rf "$packages"' EXIT
    chmod 755 "$packages"  # apt reads it as a user of its own
    "$clone/deploy/debian/build" "$packages"
}

install_package() {
    apt-get install -qq -o Dpkg::Use-Pty=0 --reinstall --allow-downgrades "$packages"/*.deb >/dev/null
}

remove_old_layout() {
    if [ -f "$DESTDIR$old_unit" ]; then
        if [ "$task" = uninstall ]; then
            do_it "Stopping the service" systemctl disable --quiet --now envoy-logger.service
        fi
        delete "$old_unit" "the unit of an installation by hand"
        do_quietly systemctl daemon-reload
        if [ "$task" != uninstall ] && [ -L "$DESTDIR$old_unit_link" ]; then
            do_it "Letting the service run from the package's unit" systemctl reenable --quiet envoy-logger.service
            do_quietly systemctl try-restart envoy-logger.service
        fi
    fi
    if [ -L "$DESTDIR$old_command" ]; then
        delete "$old_command" "which led to that installation"
    fi
    if [ -e "$DESTDIR$old_program/pyvenv.cfg" ] && [ -e "$DESTDIR$old_program/bin/envoy-logger" ]; then
        delete "$old_program" "the program of that installation"
    fi
}

# `sudo pip install .` in the clone, as earlier versions described it, left these behind; `make` cannot replace them.
remove_root_owned_leftovers() {
    local leftover
    for leftover in "$clone/build" "$clone/envoy_logger.egg-info"; do
        if [ -d "$leftover" ] && [ "$(stat -c %u "$leftover")" = 0 ] && [ "$(stat -c %u "$clone")" != 0 ]; then
            do_it "Removing $leftover, which an earlier installation left to root" rm -r "$leftover"
        fi
    done
}
