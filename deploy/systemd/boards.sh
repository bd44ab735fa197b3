# shellcheck shell=bash
# Grafana on this machine: its read-only token, the data source and the boards. Part of `install`.

boards=/usr/share/envoy-logger/dashboards/flux
read_token=/etc/grafana/envoy-logger_token
grafana_sources=/etc/grafana/provisioning/datasources/envoy-logger.yaml
grafana_boards=/etc/grafana/provisioning/dashboards/envoy-logger.yaml
grafana_drop_in=/etc/systemd/system/grafana-server.service.d/envoy-logger.conf

# The boards read by Flux, which InfluxDB 1.x as Debian has it does not know.
uses_boards() { has_package grafana && has_package influxdb2; }

provide_boards() {
    if ! uses_boards; then
        if has_package grafana; then
            say "Grafana gets no board: InfluxDB 2 is not on this machine. grafana/README.md says how to import it"
        fi
        return
    fi
    if [ ! -s "$DESTDIR$read_token" ]; then
        say "Grafana gets no token: $settings was there before. Try: sudo envoy-logger setup --read-token-file $read_token"
        echo "    with an administrator of InfluxDB (envoy-logger setup --help), then this command again."
        return
    fi
    say "Giving Grafana its token, the data source and the boards"
    do_quietly chgrp grafana "$read_token"
    do_quietly chmod 0640 "$read_token"
    render_source | write 0644 root "$grafana_sources"
    render_boards | write 0644 root "$grafana_boards"
    do_it "Starting Grafana, now and at each boot" systemctl enable --quiet grafana-server.service
    do_quietly systemctl restart grafana-server.service
    do_quietly wait_for_port 3000 || say "Grafana does not answer yet. Try: journalctl -u grafana-server"
}

# The same files as for containers, with this machine's places in them.
render_source() {
    sed -e "s|\$__env{INFLUXDB_URL}|$(read_setting INFLUXDB_URL)|" \
        -e "s|\$__env{INFLUXDB_ORG}|$(read_setting INFLUXDB_ORG)|" \
        -e "s|\$__env{INFLUXDB_BUCKET}|$(read_setting INFLUXDB_BUCKET envoy)|" \
        -e "s|/tokens/grafana/influxdb_token|$read_token|" "$clone/grafana/provisioning/flux/datasources/envoy.yaml"
}

render_boards() {
    sed "s|/etc/grafana/dashboards|$boards/$(choose_language)|" "$clone/grafana/provisioning/flux/dashboards/envoy.yaml"
}

# The boards speak the machine's language if they know it, else English.
choose_language() {
    local language=${LC_ALL:-${LC_MESSAGES:-${LANG:-en}}}
    language=${language%%[_.@]*}
    [ -d "$clone/grafana/dashboards/flux/$language" ] || language=en
    echo "$language"
}

# Reads a setting as `init` wrote it: read_setting NAME [DEFAULT]
read_setting() {
    local value
    value=$(sed -n "s/^$1=//p" "$DESTDIR$settings" 2>/dev/null | tail -n 1)
    echo "${value:-${2:-}}"
}

renew_boards() {
    if [ -e "$DESTDIR$grafana_boards" ]; then
        provide_boards
    fi
}

remove_boards() {
    local file found=""
    for file in "$grafana_sources" "$grafana_boards" "$read_token" "$grafana_drop_in"; do
        if [ -e "$DESTDIR$file" ]; then
            found=1
            delete "$file"
        fi
    done
    if [ -n "$found" ]; then
        do_quietly systemctl daemon-reload
        do_quietly systemctl try-restart grafana-server.service
    fi
}
