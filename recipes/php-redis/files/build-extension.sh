# Builds PHP's extension redis on Amazon Linux 2023.
set -eu

# A repository that cannot be asked is not one that has no package.
if ! dnf -q --setopt=skip_if_unavailable=0 repoquery "php*-pecl-redis*" >/dev/null; then
    echo 'the repositories cannot be asked whether they have a package of it, and so nothing is built' >&2
    exit 1
fi
version=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
dnf -q -y install "php$version-devel" php-pear gcc make
# Every question of the build (igbinary, lzf, zstd, …) is answered by its default, no.
yes '' | pecl install redis-6.3.0
echo 'extension=redis.so' >/etc/php.d/50-redis.ini
