# shellcheck shell=bash
# Grafana on this machine: its read-only token, the data sources, the boards and the alert rules. Part of `install`.

boards=/usr/share/envoy-logger/dashboards
write_token=/etc/envoy-logger/credentials/influxdb_token
read_token=/etc/grafana/envoy-logger_token
commands_token=/etc/envoy-logger/credentials/influxdb_read_token
grafana_sources=/etc/grafana/provisioning/datasources/envoy-logger.yaml
grafana_boards=/etc/grafana/provisioning/dashboards/envoy-logger.yaml
grafana_alerts=/etc/grafana/provisioning/alerting/envoy-logger.yaml
grafana_drop_in=/etc/systemd/system/grafana-server.service.d/envoy-logger.conf

# InfluxDB 2 is asked in Flux; 1.x, as Debian has it, knows InfluxQL alone. Of another machine's the settings tell.
choose_query_language() {
    if has_package influxdb2; then
        echo flux
    elif has_package influxdb || [ -z "$(read_setting INFLUXDB_ORG)" ]; then
        echo influxql
    else
        echo flux
    fi
}

# Why Grafana cannot ask the database; nothing where it can.
explain_no_boards() {
    if has_influxdb; then
        return
    elif [ -z "$(read_setting INFLUXDB_URL)" ]; then
        echo "the recorder delivers to no InfluxDB"
    elif [ -z "$(read_setting INFLUXDB_ORG)" ] && [ -n "$(read_setting INFLUXDB_USERNAME)" ]; then
        echo "the InfluxDB 1.x on another machine wants a user of its own for Grafana"
    elif [ -z "$(read_setting INFLUXDB_ORG)" ] && [ -e "$DESTDIR$write_token" ]; then
        echo "the database on another machine takes tokens without an organisation"
    fi
}

provide_boards() {
    has_package grafana || return 0
    local reason
    reason=$(explain_no_boards)
    if [ -n "$reason" ]; then
        say "Grafana gets no boards: $reason. grafana/README.md says how to give them by hand"
        start_grafana
        return
    fi
    if [ "$(choose_query_language)" = influxql ] && [ ! -s "$DESTDIR$read_token" ]; then
        echo none | write 0640 grafana "$read_token"  # it asks nobody for a password
    fi
    if [ ! -s "$DESTDIR$read_token" ] && [ -s "$DESTDIR$influxdb_token" ]; then
        do_it "Making a token for Grafana, which can only read" envoy-logger setup --admin-token-file "$influxdb_token" \
            --read-token-file "$read_token" || true
    fi
    if [ ! -s "$DESTDIR$read_token" ]; then
        say "Grafana gets no token: $settings was there before."
        echo "    Try: sudo envoy-logger setup --admin-token-file FILE --read-token-file $read_token"
        echo "    with an administrator's token of InfluxDB in FILE, then this command again."
        start_grafana
        return
    fi
    say "Giving Grafana its token, the data sources, the boards and the alert rules"
    do_quietly let_grafana_read "$read_token"
    give_commands_the_token
    render_source | write 0644 root "$grafana_sources"
    render_boards | write 0644 root "$grafana_boards"
    render_alerts | write 0644 root "$grafana_alerts"
    if has_own_first_page; then
        render_drop_in | write 0644 root "$grafana_drop_in"  # the settings may have told another query language
        do_quietly systemctl daemon-reload
    fi
    start_grafana
}

# `query --influxdb` and `backfill` read with it. A token that a person wrote there later stays.
give_commands_the_token() {
    if [ "$(choose_query_language)" = flux ] && [ "$DESTDIR$read_token" -nt "$DESTDIR$commands_token" ]; then
        write 0600 root "$commands_token" < "$DESTDIR$read_token"
    fi
}

# A Grafana from here shows the board first, also after an uninstallation; who deleted that keeps it deleted.
has_own_first_page() {
    [ -e "$DESTDIR$grafana_drop_in" ] || { [ "$task" = install ] && [ -e "$DESTDIR$grafana_password" ]; }
}

start_grafana() {
    if [ "$task" = upgrade ] && ! is_running grafana-server; then
        say "Grafana is stopped, and stays so"
        return
    fi
    do_it "Starting Grafana, now and at each boot" systemctl enable --quiet grafana-server.service
    do_quietly systemctl restart grafana-server.service
    do_quietly wait_for_port 3000 || say "Grafana does not answer yet. Try: journalctl -u grafana-server"
}

# Grafana reads a …__FILE variable in its maker's image alone; $__file{} it reads everywhere.
render_drop_in() {
    cat <<TEXT
[Service]
Environment=GF_SECURITY_ADMIN_PASSWORD=\$__file{$grafana_password}
Environment=GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=$(choose_boards)/envoy-live.json
Environment="GF_DATE_FORMATS_INTERVAL_HOUR=MM-DD HH:mm" GF_DATE_FORMATS_INTERVAL_DAY=MM-DD
TEXT
}

let_grafana_read() {
    chgrp grafana "$1"
    chmod 0640 "$1"
}

# The same files as for containers, with this machine's places in them.
render_source() {
    local daily devices totals
    totals=$(read_bucket INFLUXDB_BUCKET envoy)
    devices=$(read_bucket INFLUXDB_BUCKET_DEVICES envoy_devices)
    daily=$(read_bucket INFLUXDB_BUCKET_DAILY envoy_daily)
    sed -e "s|\$__env{INFLUXDB_URL}|$(read_setting INFLUXDB_URL)|" \
        -e "s|\$__env{INFLUXDB_ORG}|$(read_setting INFLUXDB_ORG)|" \
        -e "s|\$__env{INFLUXDB_READ_USERNAME}|envoy_grafana|" \
        -e "s|\$__env{INFLUXDB_BUCKET}|$totals|" \
        -e "s|\$__env{INFLUXDB_BUCKET_DEVICES}|$devices|" \
        -e "s|\$__env{INFLUXDB_BUCKET_DAILY}|$daily|" \
        -e "s|/tokens/grafana/influxdb_token|$read_token|" "$(provisioning)/datasources/envoy.yaml"
}

render_boards() { sed "s|/etc/grafana/dashboards|$(choose_boards)|" "$(provisioning)/dashboards/envoy.yaml"; }

# In Flux the rules name their buckets; in InfluxQL the data sources do.
render_alerts() {
    sed -e "s|bucket: \"envoy\"|bucket: \"$(read_bucket INFLUXDB_BUCKET envoy)\"|" \
        -e "s|bucket: \"envoy_devices\"|bucket: \"$(read_bucket INFLUXDB_BUCKET_DEVICES envoy_devices)\"|" \
        -e "s|bucket: \"envoy_daily\"|bucket: \"$(read_bucket INFLUXDB_BUCKET_DAILY envoy_daily)\"|" \
        "$(provisioning)/alerting/$(choose_language)/envoy.yaml"
}

provisioning() { echo "$clone/grafana/provisioning/$(choose_query_language)"; }

choose_boards() { echo "$boards/$(choose_query_language)/$(choose_language)"; }

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

# The bucket, or the database where a retention policy follows it: read_bucket NAME DEFAULT
read_bucket() {
    local bucket
    bucket=$(read_setting "$1" "$2")
    echo "${bucket%%/*}"
}

renew_boards() {
    if [ -e "$DESTDIR$grafana_boards" ]; then
        provide_boards
    fi
}
