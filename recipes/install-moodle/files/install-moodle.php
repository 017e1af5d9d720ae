<?php
/**
 * Sets Moodle up in an empty database, once; run in Moodle's folder.
 *
 *   install-moodle.php is-installed   ends with 0 when there is nothing to do; PREFIX in the environment
 *   install-moodle.php                and TITLE, SITE_LANGUAGE, DATA, ADMIN_USER, ADMIN_EMAIL
 *
 * Moodle's own script does it. The first password comes from memory and is never a word of a command, which every
 * process could read. A database that holds anything else than this Moodle is left alone.
 */

function goldseed_leave(string $message, int $code): never
{
    fwrite($code === 0 ? STDOUT : STDERR, $message . "\n");
    exit($code);
}

function goldseed_value(string $path): string
{
    return is_readable($path) ? rtrim((string) file_get_contents($path), "\r\n") : '';
}

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$goldseed = mysqli_init();
$goldseed->real_connect(
    goldseed_value('/etc/goldseed/database/host'),
    goldseed_value('/etc/goldseed/database/user'),
    goldseed_value('/run/goldseed-secrets/database-password'),
    goldseed_value('/etc/goldseed/database/name'),
    (int) goldseed_value('/etc/goldseed/database/port'),
    null,
    is_file('/etc/goldseed/database/ca.pem') ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT : 0
);
$tables = static fn (): array => array_column($goldseed->query('SHOW TABLES')->fetch_all(), 0);
// Moodle writes its version last.
$installed = static fn (): bool => in_array(getenv('PREFIX') . 'config', $tables(), true)
    && $goldseed->query('SELECT value FROM ' . getenv('PREFIX') . "config WHERE name = 'version'")->num_rows > 0;

if (($argv[1] ?? '') === 'is-installed') {
    exit($installed() ? 0 : 1);
}
// Two seeds at once: the second waits, and finds it done.
if ($goldseed->query("SELECT GET_LOCK('goldseed-install-moodle', 1500)")->fetch_row()[0] !== '1') {
    goldseed_leave('another machine is setting this database up', 1);
}
if ($installed()) {
    goldseed_leave('Moodle is installed already', 0);
}
if ($tables() !== []) {
    goldseed_leave('the database is not empty and holds no complete Moodle (it has the table ' . $tables()[0]
        . '): nothing was changed', 1);
}

// Moodle prints that it could not fetch its language, and goes on. The site is there then, so this ends a build once.
register_shutdown_function(static function () use ($installed): void {
    $language = getenv('SITE_LANGUAGE');
    if ($language === 'en' || !$installed() || is_file(getenv('DATA') . "/lang/$language/langconfig.php")) {
        return;
    }
    fwrite(STDERR, "Moodle is set up, but its language pack $language could not be fetched from download.moodle.org, so the"
        . " site is in English. Give the seed a way there and install the pack on Moodle's page \"Language packs\", or"
        . " leave it so: `goldseed resume` continues either way\n");
    exit(1);
});

$_SERVER['argv'] = [
    'install_database.php',
    '--agree-license',
    '--lang=' . getenv('SITE_LANGUAGE'),
    '--adminuser=' . getenv('ADMIN_USER'),
    '--adminpass=' . goldseed_value('/run/goldseed-secrets/moodle-admin-password'),
    '--adminemail=' . getenv('ADMIN_EMAIL'),
    '--fullname=' . getenv('TITLE'),
    '--shortname=' . getenv('TITLE'),
];
$argv = $_SERVER['argv'];
$argc = $_SERVER['argc'] = count($argv);
chdir(getcwd() . '/admin/cli');
// Ends with 0 when all is done. The lock is held until this process ends.
require getcwd() . '/install_database.php';
