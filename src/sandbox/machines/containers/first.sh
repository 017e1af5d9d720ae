# The first process of a machine, until systemd takes over. Container engines mount these three files, so that no program
# could replace them; a machine owns them, keeps its hosts over a boot, and gives them to its images.
name=$(cat /proc/sys/kernel/hostname)

own_hosts() {
    address=$(awk -v name="$name" '$2 == name { address = $1 } END { print address ? address : "127.0.1.1" }' /run/given)
    own="$address $name # this machine"
    if [ -s /etc/hosts ]; then
        sed -i "s/^.* # this machine\$/$own/" /etc/hosts
        return
    fi
    rm -f /etc/hosts
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost ip6-localhost ip6-loopback' "$own" >/etc/hosts
}

for file in hosts hostname resolv.conf; do
    cat /etc/$file >/run/given && umount /etc/$file || continue
    case $file in
        hosts) own_hosts ;;
        # As cloud-init and the network write them at each boot.
        *) rm -f /etc/$file && cat /run/given >/etc/$file ;;
    esac
done
rm -f /run/given
exec /sbin/init
