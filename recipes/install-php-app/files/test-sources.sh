#!/bin/sh
# For the test of install-php-app: an archive, a repository and a folder with applications, the same each time.
set -eu

mkdir -p /srv/sources/site-1.0/public /srv/sources/site-1.0/packages/greeting/src /srv/sources/help/public/help /srv/sources/tool/public/tool
cd /srv/sources

cat >site-1.0/composer.json <<'JSON'
{
    "name": "site/site",
    "repositories": [{"type": "path", "url": "packages/greeting", "options": {"symlink": false}}, {"packagist.org": false}],
    "require": {"site/greeting": "1.0"}
}
JSON
cat >site-1.0/packages/greeting/composer.json <<'JSON'
{"name": "site/greeting", "version": "1.0", "autoload": {"psr-4": {"Greeting\\": "src/"}}}
JSON
cat >site-1.0/packages/greeting/src/Hello.php <<'PHP'
<?php
namespace Greeting;

class Hello
{
    public static function to(string $whom): string
    {
        return "Hello, $whom\n";
    }
}
PHP
cat >site-1.0/public/index.php <<'PHP'
<?php
require __DIR__ . '/../vendor/autoload.php';

if (isset($_GET['leave'])) {
    move_uploaded_file($_FILES['file']['tmp_name'], __DIR__ . '/media/' . basename($_GET['leave']));
}
echo Greeting\Hello::to($_SERVER['REQUEST_URI']);
PHP
mkdir -p site-1.0/storage/app/public site-1.0/storage/logs
touch site-1.0/storage/app/.gitignore site-1.0/storage/app/public/.gitignore site-1.0/storage/logs/.gitkeep
ln -s ../storage/app/public site-1.0/public/storage
echo '<?php echo "this helps\n";' >help/public/help/index.php
echo '<?php echo "from a package\n";' >tool/part.php
ln -s ../../part.php tool/public/tool/index.php

cd help
git init -q
git add .
GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' \
    git -c user.name=a -c user.email=a@example.com commit -q -m 'The first page'
git rev-parse HEAD
cd ..
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -c site-1.0 | gzip -n >site.tar.gz
