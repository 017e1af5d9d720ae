# The authorities that sign the certificates of Amazon RDS, for the command line client and, beside the system's own,
# for PHP: mysqlnd checks a server against openssl.cafile.
set -eu

settings=/etc/goldseed/database
source=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem

curl --fail --silent --show-error --location --retry 3 --max-time 60 --output "$settings/ca.pem.new" "$source"
if ! grep -q '^-----BEGIN CERTIFICATE-----' "$settings/ca.pem.new"; then
    rm -f "$settings/ca.pem.new"
    echo "what $source answers is no list of certificates" >&2
    exit 1
fi
for system in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/certs/ca-certificates.crt; do
    if [ -r "$system" ]; then
        cat "$system" "$settings/ca.pem.new" >"$settings/ca-php.pem"
        break
    fi
done
chmod 0644 "$settings/ca.pem.new" "$settings/ca-php.pem"
mv "$settings/ca.pem.new" "$settings/ca.pem"
for folder in /etc/php.d /etc/php/*/fpm/conf.d /etc/php/*/cli/conf.d; do
    if [ -d "$folder" ]; then
        printf 'openssl.cafile = %s\n' "$settings/ca-php.pem" >"$folder/99-goldseed-database.ini"
    fi
done
