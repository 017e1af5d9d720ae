#!/bin/sh
# Takes a machine's identity, and Beanstalk's state of this one instance, off it: what boots from its image is a new
# machine. Made for the last command on a seed; safe to run again, at any point.
#
#   generalise.sh        all but what the running command needs
#   generalise.sh last   the rest, called at shutdown by the unit that the first call starts
#
# With GOLDSEED_ROOT set it works on that tree alone: no process, unit or mount of the machine is touched.
set -u
phase=${1:-now}
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
table=$here/traces.table
# shellcheck source-path=SCRIPTDIR source=ground.sh
. "$here/ground.sh"
troubles=0

say() { printf 'generalise: %s\n' "$*"; }
trouble() {
    printf 'generalise: %s\n' "$*" >&2
    troubles=$((troubles + 1))
}

# Makes everything at and below a path removable: no attribute, no directory without the right to write.
soften() {
    if command -v chattr >/dev/null 2>&1; then chattr -R -f -i -a "$1" >/dev/null 2>&1; fi
    find "$1" -xdev -type d -exec chmod u+rwx {} + 2>/dev/null
    # An immutable file cannot be removed, a link has no attributes: what is left is tried and reported by the caller.
    return 0
}

# Removes a path with all below it. A link is removed as a link.
take_away() {
    if [ -L "$1" ]; then
        rm -f "$1"
        return
    fi
    rm -rf "$1" 2>/dev/null && return 0
    soften "$1"
    rm -rf "$1"
}

# Overwrites the files at and below a path; a snapshot of a disk holds the blocks of removed files too.
overwrite() {
    if [ -L "$1" ]; then return 0; fi
    soften "$1"
    if command -v shred >/dev/null 2>&1; then
        find "$1" -xdev -type f -links 1 -exec shred -n 1 -f {} + 2>/dev/null
    else
        find "$1" -xdev -type f -links 1 -exec sh -c '
            for file do
                size=$(wc -c <"$file") || continue
                head -c "$size" /dev/zero | dd of="$file" conv=notrunc 2>/dev/null
            done' sh {} + 2>/dev/null
    fi
    return 0
}

# Calls `take_away` for everything in a directory, names that begin with a dot too.
empty() {
    for inside in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if exists "$inside"; then take_away "$inside" || failed=yes; fi
    done
}

clean() {
    how=$2 path=$3 failed=no
    if leads_through_link "$path"; then
        say "left alone: $1: ${path#.} is reached through the symbolic link ${link#.}"
        return 0
    fi
    if is_mounted_below "$path"; then
        trouble "$1: something is mounted below ${path#.}: unmount it first"
        return 0
    fi
    if is_mounted "$path"; then
        case $how in
            remove | shred) return 0 ;; # lies on another file system: not part of the image
        esac
    fi
    # Debian's /var/spool/mail is a link to /var/mail, and stays; what it leads to has a row of its own, or is found.
    if [ "$how" = files ] && [ -L "$path" ]; then return 0; fi
    case $how in shred*) overwrite "$path" ;; esac
    if [ -L "$path" ] || [ ! -d "$path" ]; then
        take_away "$path" || failed=yes
    else
        case $how in
            remove | shred) take_away "$path" || failed=yes ;;
            empty | shred-in) empty "$path" ;;
            files)
                soften "$path"
                find "$path" -xdev ! -type d -exec rm -f {} + || failed=yes
                ;;
        esac
    fi
    if [ "$failed" = yes ]; then trouble "$1: cannot remove all of ${path#.}"; fi
}

# Empties the logs that are written, removes those that were rotated away. Owners, modes and directories stay: a daemon
# that is not root could not make its log again.
clean_logs() {
    if [ ! -d "${log_folder:-./nowhere}" ] || ! is_local "$log_folder"; then return 0; fi
    if command -v chattr >/dev/null 2>&1; then chattr -R -f -i -a "$log_folder" >/dev/null 2>&1; fi
    find "$log_folder" -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.bz2' -o -name '*.zst' -o -name '*.old' \
        -o -name '*.[0-9]' -o -name '*.[0-9][0-9]' -o -name '*-20[0-9][0-9][0-9][0-9][0-9][0-9]*' \) \
        ! -path '*/journal/*' ! -path '*/amazon/ssm/*' -exec rm -f {} + || trouble "logs: cannot remove all rotated logs"
    find "$log_folder" -xdev -type f -size +0 ! -path '*/journal/*' ! -path '*/amazon/ssm/*' -exec sh -c '
        for file do : >"$file" || exit 1; done' sh {} + || trouble "logs: cannot empty all logs"
}

# The journal of this machine lies under its machine id: a new one has another.
clean_journal() {
    if [ -d "$journal_folder" ] && is_local "$journal_folder"; then
        if [ "$live" = yes ]; then journalctl --relinquish-var >/dev/null 2>&1; fi
        failed=no
        empty "$journal_folder"
        if [ "$failed" = yes ]; then trouble "journal: cannot remove all of ${journal_folder#.}"; fi
    fi
}

# The sessions of visitors that no row of the table knows.
clean_sessions() {
    left=$(session_files | while IFS= read -r file; do
        overwrite "$file"
        take_away "$file" || printf '%s\n' "${file#.}"
    done)
    if [ -n "$left" ]; then trouble "php-sessions: cannot remove ${left%%"$line_end"*}"; fi
}

# The application, cron and everything that a timer starts: nothing may write while it is cleaned.
stop_work() {
    if [ "$live" != yes ]; then return 0; fi
    say "stopping the application, cron and timers"
    for unit in crond.service cron.service atd.service anacron.service nginx.service httpd.service apache2.service \
        'php*-fpm.service' rsyslog.service amazon-cloudwatch-agent.service awslogsd.service $beanstalk_units; do
        systemctl stop "$unit" 2>/dev/null
    done
    systemctl stop '*.timer' 2>/dev/null
    # But for the one that stops a seed to which nobody comes back: it writes nothing.
    if [ -e /run/systemd/system/goldseed-expiry.timer ]; then systemctl start goldseed-expiry.timer; fi
    return 0
}

unmount_network() {
    while IFS= read -r point; do
        if [ -z "$point" ] || ! is_mounted "$point"; then continue; fi
        if [ "$live" != yes ]; then
            trouble "network-mounts: ${point#.} is mounted in the tree"
            continue
        fi
        say "unmounting ${point#.}"
        # Two mounts may lie on each other.
        while is_mounted "$point"; do
            if ! umount "$point" 2>/dev/null && ! umount -l "$point"; then
                trouble "network-mounts: cannot unmount ${point#.}"
                break
            fi
            mount_list=$(mounts)
        done
    done <<POINTS
$(network_points | sort -r)
POINTS
    mount_list=$(mounts)
}

# A mount point that nobody can write to: where the mount fails, the write fails too instead of going to the local disk.
close_mount_points() {
    while IFS= read -r point; do
        if [ -z "$point" ] || [ ! -d "$point" ] || is_mounted "$point"; then continue; fi
        if [ -n "$(ls -A "$point")" ]; then continue; fi # assert.sh says so
        if command -v chattr >/dev/null 2>&1; then chattr -f +i "$point" >/dev/null 2>&1; fi
    done <<POINTS
$(network_points)
POINTS
}

# A place to swap holds memory of this machine. What is still in use is never written to.
zero_swap() {
    while IFS= read -r file; do
        if [ -z "$file" ] || leads_through_link "$file"; then continue; fi
        if [ "$live" = yes ]; then
            swapoff "$file" 2>/dev/null
            if swapon --noheadings --raw --show=NAME 2>/dev/null | grep -qxF "${file#.}"; then
                trouble "swap: ${file#.} cannot be switched off: there is too little memory for what is in it"
                continue
            fi
        fi
        uuid=$(blkid -p -s UUID -o value "$file" 2>/dev/null)
        size=$(wc -c <"$file")
        head -c "$size" /dev/zero | dd of="$file" conv=notrunc 2>/dev/null || trouble "swap: cannot zero ${file#.}"
        mkswap ${uuid:+-U "$uuid"} "$file" >/dev/null 2>&1 || say "swap: ${file#.} is zeroed, mkswap is not there to sign it again"
    done <<FILES
$(swap_files)
FILES
}

# Beanstalk's copies of its own units go, and the links by which they start; masks on them too: its engine copies and
# enables them again. So do those that it made of a Procfile.
reset_units() {
    for unit in $beanstalk_units $(procfile_units); do
        for path in ./etc/systemd/system/"$unit" ./etc/systemd/system/*.wants/"$unit" \
            ./etc/systemd/system/*.requires/"$unit"; do
            if ! exists "$path" || leads_through_link "$path"; then continue; fi
            take_away "$path" || trouble "units: cannot remove ${path#.}"
        done
    done
    if [ "$live" = yes ]; then systemctl daemon-reload; fi
}

# Emptied, not removed: systemd takes a machine without this file for one that boots for the first time in its life,
# and sets all units to their presets.
reset_machine_id() {
    if [ "$live" = yes ] && is_mounted ./etc/machine-id; then umount /etc/machine-id; fi
    if [ ! -d ./etc ]; then return 0; fi
    if [ -L ./etc/machine-id ]; then rm -f ./etc/machine-id; fi
    if command -v chattr >/dev/null 2>&1; then chattr -f -i ./etc/machine-id >/dev/null 2>&1; fi
    { : >./etc/machine-id && chmod 0444 ./etc/machine-id; } || trouble "machine-id: cannot empty /etc/machine-id"
    if [ -f ./var/lib/dbus/machine-id ] && [ ! -L ./var/lib/dbus/machine-id ]; then
        take_away ./var/lib/dbus/machine-id || trouble "machine-id: cannot remove /var/lib/dbus/machine-id"
    fi
}

# A unit under /run, so that it is not part of the image. What is ordered before a service when both start is ordered
# after it when both stop: by then agent, network and cloud-init are gone.
install_shutdown_unit() {
    if [ "$live" != yes ]; then return 0; fi
    kept=/run/goldseed/generalise
    mkdir -p "$kept" || return 1
    for file in generalise.sh ground.sh traces.table; do
        if [ "$here" != "$kept" ]; then cp "$here/$file" "$kept/$file" || return 1; fi
    done
    mkdir -p /run/systemd/system
    cat >/run/systemd/system/goldseed-last-traces.service <<UNIT || return 1
[Unit]
Description=Takes the last traces of this machine away when it stops
DefaultDependencies=no
RequiresMountsFor=/var/lib /var/log /etc /opt
Conflicts=shutdown.target
Before=shutdown.target amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service
Before=NetworkManager.service systemd-networkd.service networking.service dhclient.service
Before=systemd-random-seed.service cloud-init.service cloud-final.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh $kept/generalise.sh last
TimeoutStopSec=60
UNIT
    systemctl daemon-reload && systemctl start goldseed-last-traces.service
}

case $phase in
    now)
        stop_work
        unmount_network
        if [ "$troubles" -gt 0 ]; then
            trouble "nothing was removed: what is mounted over the network would be removed with it"
            exit 1
        fi
        say "removing what belongs to this machine alone"
        each_trace clean now any
        if [ "$live" = yes ]; then mkdir -p /run/goldseed/generalise && : >/run/goldseed/generalise/cleaned; fi
        clean_logs
        clean_sessions
        zero_swap
        close_mount_points
        reset_units
        reset_machine_id
        install_shutdown_unit || trouble "shutdown-unit: cannot be started"
        ;;
    last)
        each_trace clean last any
        clean_logs
        clean_journal
        ;;
    *)
        trouble "what is '$phase'? now or last"
        exit 2
        ;;
esac
if [ "$live" = yes ]; then sync; fi
if [ "$troubles" -gt 0 ]; then exit 1; fi
if [ "$phase" = now ]; then say "done; what the agent still needs goes at shutdown"; fi
