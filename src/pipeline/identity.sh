# Prints what makes this machine this machine, one line each: a name and a short digest.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
short() { sha256sum | cut -c 1-12; }
[ ! -s /etc/machine-id ] || printf 'machine-id %s\n' "$(short < /etc/machine-id)"
[ ! -s /var/lib/systemd/credential.secret ] || printf 'credential-secret %s\n' "$(short < /var/lib/systemd/credential.secret)"
for key in /etc/ssh/ssh_host_*_key.pub; do
  [ -e "$key" ] || continue
  name=${key##*/}
  printf '%s %s\n' "${name%.pub}" "$(cut -d ' ' -f 2 "$key" | short)"
done
if [ -d /var/lib/amazon/ssm/Vault ]; then
  printf 'ssm-vault %s\n' "$(find /var/lib/amazon/ssm/Vault -type f -exec sha256sum {} + | cut -c 1-64 | sort | short)"
  # The agent writes a new instance id beside a key pair that it finds: the files differ then, and the key is the seed's.
  find /var/lib/amazon/ssm/Vault -type f -exec sed -n 's/.*"privateKey" *: *"\([^"]*\)".*/\1/p' {} + |
    while IFS= read -r key || [ -n "$key" ]; do
      printf 'ssm-key %s\n' "$(printf %s "$key" | short)"
    done
fi
