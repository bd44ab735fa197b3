# shellcheck shell=bash
# Removing: what Grafana got from here, the program, and the words about what stays. Part of `install`.

# Grafana keeps in its own database what it was given by files, so it must be told to forget it before they go.
remove_boards() {
    local file found=""
    if cmp -s "$DESTDIR$read_token" "$DESTDIR$commands_token"; then
        delete "$commands_token" "a copy of $read_token"
    fi
    for file in "$grafana_sources" "$grafana_boards" "$grafana_alerts"; do
        [ ! -e "$DESTDIR$file" ] || found=1
    done
    if [ -n "$found" ] && has_package grafana; then
        take_back_from_grafana
    fi
    for file in "$grafana_sources" "$grafana_boards" "$grafana_alerts" "$read_token" "$grafana_drop_in"; do
        [ ! -e "$DESTDIR$file" ] || delete "$file"
    done
    [ -z "$found" ] || do_quietly systemctl daemon-reload
}

take_back_from_grafana() {
    local names rules folders file verb=Restarting
    is_running grafana-server || verb=Starting
    names=$(name_sources) rules=$(name_rules) folders=$(name_folders)
    say "Taking back from Grafana what it got from here, and nothing else"
    echo "    boards        all of $(choose_boards)"
    echo "    data sources  $(join_lines "$names")"
    echo "    alert rules   $(join_lines "$rules")"
    echo "    folders       $(join_lines "$folders"), where nothing of yours is in them"
    [ ! -e "$DESTDIR$grafana_sources" ] || write_source_removal "$names" | write 0644 root "$grafana_sources"
    [ ! -e "$DESTDIR$grafana_alerts" ] || write_rule_removal "$rules" | write 0644 root "$grafana_alerts"
    for file in "$grafana_boards" "$grafana_drop_in"; do
        [ ! -e "$DESTDIR$file" ] || delete "$file"
    done
    do_it "$verb Grafana, which then forgets them" systemctl daemon-reload
    do_quietly systemctl restart grafana-server.service
    do_quietly wait_for_port 3000 || say "Grafana does not answer: it may still hold them. Try: journalctl -u grafana-server"
    do_quietly python3 "$here/delete_folders.py" "$DESTDIR$grafana_password" "$folders"
    if [ "$verb" = Starting ]; then
        do_it "Stopping Grafana again, because it was stopped before" systemctl stop grafana-server.service
    fi
}

# What the files that Grafana read have named, one on each line.
name_sources() { sed -n 's/^ \+\(- \)\?name: //p' "$DESTDIR$grafana_sources" 2>/dev/null || true; }
name_rules() { sed -n 's/^  - uid: //p' "$DESTDIR$grafana_alerts" 2>/dev/null || true; }
name_folders() { sed -n 's/^ *folder: //p' "$DESTDIR$grafana_boards" "$DESTDIR$grafana_alerts" 2>/dev/null || true; }

join_lines() { echo "$1" | paste -sd , | sed 's/,/, /g'; }

write_source_removal() { write_removal deleteDatasources name "$1"; }
write_rule_removal() { write_removal deleteRules uid "$1"; }

# Writes the file by which Grafana deletes these at its start: write_removal LIST KEY "NAMES"
write_removal() {
    printf 'apiVersion: 1\n%s:\n' "$1"
    local name
    while IFS= read -r name; do
        printf '  - orgId: 1\n    %s: %s\n' "$2" "$name"
    done <<< "$3"
}

remove_program() {
    if has_package envoy-logger; then
        do_it "Stopping the service and removing the program" apt-get remove -qq -o Dpkg::Use-Pty=0 envoy-logger
    else
        say "The package envoy-logger is not installed"
    fi
    remove_old_layout
}

name_what_stays() {
    local file url purge="sudo apt-get purge envoy-logger"
    url=$(read_setting INFLUXDB_URL)
    dpkg-query -W envoy-logger >/dev/null 2>&1 ||
        purge="sudo rm -r /etc/envoy-logger /var/lib/private/envoy-logger"  # it was installed by hand
    say "What stays, and how to delete it"
    echo "    settings and secrets  /etc/envoy-logger                  $purge"
    echo "    readings, token, pin  /var/lib/private/envoy-logger      (the same command deletes both)"
    if has_influxdb; then
        echo "    InfluxDB              with the buckets envoy, envoy_devices and envoy_daily, and two tokens or users"
        echo "                          docs/install.md says how to delete them, or InfluxDB as a whole"
    elif [ -n "$url" ]; then
        echo "    on another machine    at $url, the buckets envoy, envoy_devices and envoy_daily, and two tokens or users"
        echo "                          docs/install.md says how to delete them"
    fi
    if has_package grafana; then
        echo "    Grafana               docs/install.md says how to delete it"
    fi
    for file in "$influxdb_password" "$influxdb_token" "$grafana_password"; do
        [ ! -e "$DESTDIR$file" ] || echo "    a secret              $file (its server's user admin)"
    done
}
