# shellcheck shell=bash
# InfluxDB and Grafana, each from its maker's own package source, where they are missing. Part of `install`.

influxdata_source="https://repos.influxdata.com/debian stable main"
influxdata_key=https://repos.influxdata.com/influxdata-archive.key
influxdata_fingerprint=24C975CBA61A024EE1B631787C3D57159FC2F927
grafana_source="https://apt.grafana.com stable main"
grafana_key=https://apt.grafana.com/gpg.key
grafana_fingerprint=B53AE77BADB630A683046005963FA27710458545

influxdb_url=http://localhost:8086
# Who may do everything on an InfluxDB that was installed here. They belong to InfluxDB and stay with it.
influxdb_password=/etc/influxdb/admin_password
influxdb_token=/etc/influxdb/admin_token
grafana_password=/etc/grafana/admin_password

has_influxdb() { has_package influxdb2 || has_package influxdb; }

# Decides what to install: as the options say, else as the person answers, once for both.
choose_databases() {
    local missing=() answer=""
    if has_influxdb; then
        influxdb=none
    elif [ -z "$influxdb" ] && [ "$(dpkg --print-architecture)" = armhf ]; then
        influxdb=debian  # InfluxDB 2 is for 64-bit systems alone
    fi
    if has_package grafana; then
        grafana=none
    fi
    [ -n "$influxdb" ] || missing+=("InfluxDB 2 (stores the readings; from repos.influxdata.com)")
    [ -n "$grafana" ] || missing+=("Grafana (shows the curves; from apt.grafana.com)")
    if [ ${#missing[@]} -gt 0 ] && [ -z "$yes" ]; then
        echo "Not on this machine:"
        printf '    %s\n' "${missing[@]}"
        read -r -p "Install them from their makers (n: they are elsewhere, or you want none) [Y/n]? " answer ||
            fail "This needs an answer." "in a terminal; or with --yes, or with --influxdb and --grafana."
    fi
    case $answer in
        [nN]*) influxdb=${influxdb:-none} grafana=${grafana:-none} ;;
        *) influxdb=${influxdb:-vendor} grafana=${grafana:-vendor} ;;
    esac
}

# Adds a package source whose key has this fingerprint and no other: add_source NAME SOURCE KEY FINGERPRINT
add_source() {
    local keyring=/etc/apt/keyrings/$1.gpg home
    home=$(mktemp -d)
    if ! /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$3" "$home/key" >/dev/null; then
        rm -rf "$home"
        fail "The key of $1's package source could not be fetched from $3." \
            "once more later; or --influxdb debian, or --grafana none."
    fi
    GNUPGHOME=$home gpg --batch --quiet --import "$home/key" 2>/dev/null || true
    GNUPGHOME=$home gpg --batch --quiet --output "$home/one" --export "$4" 2>/dev/null || true
    if [ ! -s "$home/one" ]; then
        rm -rf "$home"
        fail "$3 holds another key than $4. It may have been renewed, or somebody stands between." \
            "its maker's installation page; then install it by hand, and run this again."
    fi
    write 0644 root "$keyring" < "$home/one"
    rm -rf "$home"
    echo "deb [signed-by=$keyring] $2" | write 0644 root "/etc/apt/sources.list.d/$1.list"
}

# Two entries for one source with different keys stop apt altogether, so a source that is there already is taken.
install_from_vendor() {
    local name=$1 package=$2
    shift
    shift
    if has_source "$1"; then
        say "The package source ${1%% *} is on this machine already"
    else
        has_package gpg || do_it "Installing gpg, which checks the key" install_from_debian gpg
        do_it "Adding the package source $1 with the key $3" add_source "$name" "$@"
    fi
    do_it "Installing $package from there" install_from_debian "$package"
}

# Whether apt knows a source of the same server: has_source SOURCE
has_source() {
    local server=${1#https://}
    grep -rqsE "^[^#]*//${server%%/*}" "$DESTDIR/etc/apt/sources.list" "$DESTDIR/etc/apt/sources.list.d"
}

install_influxdb() {
    case $influxdb in
        none) return ;;
        vendor)
            say "Making a password for InfluxDB's user admin"
            make_secret | write 0600 root "$influxdb_password"
            install_from_vendor influxdata influxdb2 "$influxdata_source" "$influxdata_key" "$influxdata_fingerprint"
            ;;
        debian)
            do_it "Installing influxdb from Debian" install_from_debian influxdb
            say "Letting only this machine reach InfluxDB, because it asks nobody for a password"
            echo 'INFLUXDB_HTTP_BIND_ADDRESS="127.0.0.1:8086"' | write 0644 root /etc/default/influxdb
            ;;
    esac
    do_it "Starting InfluxDB, now and at each boot" systemctl enable --quiet influxdb.service
    do_quietly systemctl restart influxdb.service
    do_quietly wait_for_port 8086 || fail "InfluxDB does not answer." "journalctl -u influxdb"
}

wait_for_port() {
    local end=$((SECONDS + 60))
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 1
    done
}

# The password is there before the package: an installation that was cut off leaves no Grafana with its maker's password.
install_grafana() {
    [ "$grafana" = vendor ] || return 0
    say "Making a password for Grafana's user admin"
    make_secret | write 0600 root "$grafana_password"
    say "Giving Grafana that password, and the board as its first page"
    render_drop_in | write 0644 root "$grafana_drop_in"
    install_from_vendor grafana grafana "$grafana_source" "$grafana_key" "$grafana_fingerprint"
    do_it "Letting Grafana read its password" let_grafana_read "$grafana_password"
    do_quietly systemctl daemon-reload
}

# Appends what `init` need not ask to the array of this name: collect_influxdb_options ARRAY
collect_influxdb_options() {
    local -n into=$1
    if has_package grafana; then
        into+=(--read-token-file "$read_token")
    fi
    has_influxdb || return 0
    into+=(--influxdb-url "$influxdb_url")
    ! has_package influxdb || return 0  # 1.x has neither an organisation nor tokens
    if [ -e "$DESTDIR$influxdb_password" ]; then
        into+=(--org home --admin-user admin)
        into+=(--admin-password-file "$influxdb_password" --keep-admin-token "$influxdb_token")
    fi
    if [ -s "$DESTDIR$influxdb_token" ]; then
        into+=(--admin-token-file "$influxdb_token")  # an InfluxDB that was set up before takes this one
    fi
}

# The settings of a backup name buckets and tokens that an InfluxDB which was just installed does not have.
fill_new_influxdb() {
    local options=()
    if [ "$influxdb" = vendor ]; then
        options+=(--admin-user admin --admin-password-file "$influxdb_password" --keep-admin-token "$influxdb_token")
        options+=(--write-token-file "$write_token")
        ! has_package grafana || options+=(--read-token-file "$read_token")
    fi
    say "Making the buckets and tokens of these settings on the new InfluxDB, and sending it what the backup still has"
    if [ -n "$dry_run$DESTDIR" ]; then
        return
    elif [ "$(read_setting INFLUXDB_URL)" != "$influxdb_url" ]; then
        echo "    The settings name another InfluxDB. Try: sudo envoy-logger init, which changes a single answer"
    elif envoy-logger setup "${options[@]}"; then
        envoy-logger outbox replay --since 2012-01-01
    fi
}
