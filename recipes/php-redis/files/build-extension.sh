# Builds PHP's extension redis on Amazon Linux 2023.
set -eu

version=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
dnf -q -y install "php$version-devel" php-pear gcc make
# Every question of the build (igbinary, lzf, zstd, …) is answered by its default, no.
yes '' | pecl install redis-6.3.0
echo 'extension=redis.so' >/etc/php.d/50-redis.ini
