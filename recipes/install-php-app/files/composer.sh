# Fetches what composer.lock of the application in CODE names.
set -eu

cd "$CODE"
if [ ! -f composer.json ]; then
    echo "there is no composer.json in $CODE: leave \`composer\` out, or see to \`strip\`" >&2
    exit 1
fi
if [ ! -f composer.lock ]; then
    echo 'there is no composer.lock: what is fetched now may differ from what the next image gets' >&2
fi
composer=
for candidate in composer composer.phar; do
    if command -v "$candidate" >/dev/null 2>&1; then composer=$candidate; break; fi
done
if [ -z "$composer" ]; then
    echo 'composer is not here: Beanstalk brings it for PHP; elsewhere a package step does' >&2
    exit 1
fi
# Its caches are memory and in no image. What it runs has come with the code and from the lock.
export COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_HOME=/run/goldseed/composer
"$composer" install --no-dev --no-interaction --no-progress --optimize-autoloader
chown -R root:root .
chmod -R go-w .
mkdir -p vendor
# What the lock pins is published code: the search for secrets takes a file that is still the same for that.
if [ -f composer.lock ]; then
    mkdir -p /var/lib/goldseed/shipped
    {
        printf 'composer.lock %s %s\n' "$(sha256sum <composer.lock | cut -d ' ' -f 1)" "$CODE/vendor"
        (cd vendor && find . -type f -exec sha256sum {} +)
    } >"/var/lib/goldseed/shipped/vendor-${CODE##*/}"
fi
cat composer.json composer.lock 2>/dev/null | sha256sum >vendor/.goldseed
