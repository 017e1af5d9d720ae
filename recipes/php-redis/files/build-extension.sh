# Brings PHP's extension redis on Amazon Linux 2023: from a package, whatever it is called for this PHP, else built.
set -eu

version=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
for package in "php$version-pecl-redis6" "php$version-pecl-redis" php-pecl-redis; do
    if dnf -q list "$package" >/dev/null 2>&1; then
        exec dnf -q -y install "$package"
    fi
done
dnf -q -y install "php$version-devel" php-pear gcc make
# Every question of the build (igbinary, lzf, zstd, …) is answered by its default, no.
yes '' | pecl install redis-6.3.0
echo 'extension=redis.so' >/etc/php.d/50-redis.ini
