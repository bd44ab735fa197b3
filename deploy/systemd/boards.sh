# shellcheck shell=bash
# Grafana on this machine: its read-only token, the data source and the boards. Part of `install`.

boards=/usr/share/envoy-logger/dashboards
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
    [ -n "$dry_run" ] || chgrp grafana "$DESTDIR$read_token"
    [ -n "$dry_run" ] || chmod 0640 "$DESTDIR$read_token"
    say "Telling Grafana where the readings are: $grafana_sources"
    render_source | write 0644 "$grafana_sources"
    say "Giving Grafana the boards: $grafana_boards"
    render_boards | write 0644 "$grafana_boards"
    do_it "Starting Grafana, now and at each boot" systemctl enable --quiet grafana-server.service
    [ -n "$dry_run" ] || systemctl restart grafana-server.service
    [ -n "$dry_run" ] || wait_for_port 3000 || say "Grafana does not answer yet. Try: journalctl -u grafana-server"
}

# The same files as for containers, with this machine's places in them.
render_source() {
    sed -e "s|\$__env{INFLUXDB_URL}|$(read_setting INFLUXDB_URL)|" \
        -e "s|\$__env{INFLUXDB_ORG}|$(read_setting INFLUXDB_ORG)|" \
        -e "s|\$__env{INFLUXDB_BUCKET}|$(read_setting INFLUXDB_BUCKET envoy)|" \
        -e "s|/tokens/grafana/influxdb_token|$read_token|" "$clone/grafana/provisioning/datasources/envoy.yaml"
}

render_boards() { sed "s|/etc/grafana/dashboards|$boards|" "$clone/grafana/provisioning/dashboards/envoy.yaml"; }

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
            do_it "Removing $file" rm "$DESTDIR$file"
        fi
    done
    if [ -n "$found" ] && [ -z "$dry_run" ]; then
        systemctl daemon-reload
        systemctl try-restart grafana-server.service
    fi
}
