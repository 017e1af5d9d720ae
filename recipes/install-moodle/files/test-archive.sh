#!/bin/sh
# For the test of install-moodle: a small application of Moodle's layout, settings and command line scripts. It is not
# Moodle; it does what the recipe counts on, with a real database.
set -eu

into=$1
work=$(mktemp -d)
cd "$work"
mkdir -p moodle/admin/cli moodle/lib moodle/login
for plugin in file session static redis; do mkdir -p moodle/cache/stores/$plugin; done
cat >moodle/version.php <<'PHP'
<?php
$version = 2024100700;
$release = '4.5 (stand-in)';
$branch = '405';
$maturity = MATURITY_STABLE;
PHP
# What upgrade.php checks before it starts. Files of these names make it refuse, or fail half-way.
touch moodle/lib/adminlib.php moodle/lib/upgradelib.php
cat >moodle/lib/environmentlib.php <<'PHP'
<?php
const ENV_SELECT_RELEASE = 2;
function normalize_version(string $version): string
{
    return preg_replace('/ .*/', '', $version);
}
function check_moodle_environment(string $version, int $select): array
{
    global $CFG;
    if (is_file("$CFG->dirroot/lib/other-environment")) {
        throw new TypeError('another version');
    }
    return [!is_file("$CFG->dirroot/lib/unfit-environment"), ['php']];
}
function environment_get_errors(array $results): array
{
    return [['PHP', 'version 9 is <b>required</b>']];
}
PHP
# As in Moodle: the password of a test server that everybody may use.
mkdir -p moodle/mod/bigbluebuttonbn/classes/local
cat >moodle/mod/bigbluebuttonbn/classes/local/config.php <<'PHP'
<?php
namespace mod_bigbluebuttonbn\local;

class config
{
    public const DEFAULT_SHARED_SECRET = '0b21aaaaaaaaaaaaaaaaaaaaaaaaaaaa';
}
PHP
cat >moodle/lib/setup.php <<'PHP'
<?php
$CFG->dirroot = dirname(__DIR__);
$CFG->libdir = __DIR__;
const MATURITY_ALPHA = 50;
const MATURITY_STABLE = 200;
class core_plugin_manager
{
    public static function instance(): self
    {
        return new self();
    }
    public function all_plugins_ok(int $version, array &$failed, ?string $branch): bool
    {
        global $CFG;
        if (is_file("$CFG->dirroot/lib/unfit-plugin")) {
            $failed[] = 'mod_old';
        }
        return $failed === [];
    }
}
if (!defined('CLI_SCRIPT') && is_file("$CFG->dataroot/climaintenance.html")) {
    http_response_code(503);
    exit("maintenance\n");
}
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$DB = new mysqli($CFG->dbhost, $CFG->dbuser, $CFG->dbpass, $CFG->dbname, (int) $CFG->dboptions['dbport']);
foreach (["$CFG->dataroot/filedir", $CFG->localcachedir] as $folder) {
    is_dir($folder) || mkdir($folder, $CFG->directorypermissions & 0777, true);
}
function get_config(string $name): ?string
{
    global $CFG, $DB;
    return $DB->execute_query("SELECT value FROM {$CFG->prefix}config WHERE name = ?", [$name])->fetch_row()[0] ?? null;
}
function set_config(string $name, string $value): void
{
    global $CFG, $DB;
    $DB->execute_query("REPLACE INTO {$CFG->prefix}config VALUES (?, ?)", [$name, $value]);
}
// Reads the settings of caches, and writes them anew with all values.
class cache_config
{
    private array $configuration = ['stores' => [], 'modemappings' => []];

    public static function instance(): self
    {
        global $CFG;
        $instance = new self();
        $path = $CFG->altcacheconfigpath ?? '';
        if ($path !== '' && is_writable(dirname($path)) && is_writable($path)) {
            defined('MOODLE_INTERNAL') || define('MOODLE_INTERNAL', true);
            include $path;
            foreach ($configuration['stores'] as $store) {
                require_once "$CFG->dirroot/cache/stores/$store[plugin]/lib.php";
            }
            $instance->configuration = $configuration;
            $content = "<?php defined('MOODLE_INTERNAL') || die();\n \$configuration = " . var_export($configuration, true) . ';';
            file_put_contents("$path.tmp", $content);
            rename("$path.tmp", $path);
        }
        return $instance;
    }
    public function get_all_stores(): array
    {
        return array_map(static fn (array $store): array => $store + ['class' => "cachestore_$store[plugin]"], $this->configuration['stores']);
    }
    public function store_for_all_machines(): ?string
    {
        return array_column($this->configuration['modemappings'], 'store', 'mode')[1] ?? null;
    }
}
PHP
for plugin in file session static; do
    echo "<?php
class cachestore_$plugin
{
    public static function get_supported_features(array \$configuration = []): int { return 14; }
    public static function get_supported_modes(array \$configuration = []): int { return 7; }
}" >moodle/cache/stores/$plugin/lib.php
done
cat >moodle/cache/stores/redis/lib.php <<'PHP'
<?php
class cachestore_redis
{
    public ?Redis $redis = null;

    public static function get_supported_features(array $configuration = []): int { return 26; }
    public static function get_supported_modes(array $configuration = []): int { return 3; }
    public static function are_requirements_met(): bool { return class_exists('Redis'); }
    public function __construct(string $name, array $configuration)
    {
        [$server, $port] = explode(':', $configuration['server']);
        $options = [];
        if (!empty($configuration['encryption'])) {
            $server = "tls://$server";
            $trust = empty($configuration['cafile'])
                ? ['verify_peer' => false, 'verify_peer_name' => false] : ['cafile' => $configuration['cafile']];
            $options = $trust + ['stream' => $trust];
        }
        try {
            $redis = new Redis();
            $redis->connect($server, (int) $port, 3, null, 100, 3, $options);
            $redis->auth($configuration['password']);
            $redis->setOption(Redis::OPT_PREFIX, $configuration['prefix']);
            $redis->ping();
            $this->redis = $redis;
        } catch (RedisException) {
        }
    }
    public function is_ready(): bool { return $this->redis !== null; }
}
PHP
cat >moodle/login/index.php <<'PHP'
<?php
require __DIR__ . '/../config.php';
touch("$CFG->dataroot/filedir/shared-file");
touch("$CFG->localcachedir/local-file");
$caches = cache_config::instance();
$store = $caches->get_all_stores()[$caches->store_for_all_machines() ?? ''] ?? null;
if ($store !== null) {
    $cache = new $store['class']($store['name'], $store['configuration']);
    $cache->is_ready() && $cache->redis->hSet('core_config', 'seen', 'by everybody');
}
if (get_config('dirroot') !== $CFG->dirroot) {
    throw new Exception('the code was elsewhere when the site was set up');
}
?>
<html><title><?= htmlspecialchars(get_config('fullname')) ?></title>
<form action="<?= $CFG->wwwroot ?>/login/index.php"><input name="logintoken"></form>
<p>sessions by <?= $CFG->session_handler_class ?>, in the language <?= get_config('lang') ?></p>
</html>
PHP
cat >moodle/admin/cli/install_database.php <<'PHP'
<?php
define('CLI_SCRIPT', true);
require __DIR__ . '/../../config.php';
require __DIR__ . '/../../version.php';
$options = [];
foreach (array_slice($_SERVER['argv'], 1) as $argument) {
    [$name, $value] = explode('=', substr($argument, 2), 2) + [1 => ''];
    $options[$name] = $value;
}
if (!isset($options['agree-license']) || strlen($options['adminpass']) < 8) {
    fwrite(STDERR, "the license, or the password\n");
    exit(1);
}
$DB->query("CREATE TABLE {$CFG->prefix}config (name VARCHAR(100) PRIMARY KEY, value TEXT)");
$DB->query("CREATE TABLE {$CFG->prefix}user (username VARCHAR(100), password VARCHAR(255), email VARCHAR(100))");
$DB->query("CREATE TABLE {$CFG->prefix}upgrade_log (id BIGINT AUTO_INCREMENT PRIMARY KEY, info VARCHAR(255))");
$hash = password_hash($options['adminpass'], PASSWORD_DEFAULT);
$DB->execute_query("INSERT INTO {$CFG->prefix}user VALUES (?, ?, ?)", [$options['adminuser'], $hash, $options['adminemail']]);
set_config('fullname', $options['fullname']);
set_config('lang', $options['lang']);
// As Moodle does with packs that it fetches; this one cannot be had.
if ($options['lang'] !== 'xx') {
    mkdir("$CFG->dataroot/lang/$options[lang]", $CFG->directorypermissions & 0777, true);
    touch("$CFG->dataroot/lang/$options[lang]/langconfig.php");
}
set_config('dirroot', $CFG->dirroot);
set_config('version', (string) $version);
echo "Installation completed successfully.\n";
exit(0);
PHP
cat >moodle/admin/cli/upgrade.php <<'PHP'
<?php
define('CLI_SCRIPT', true);
require __DIR__ . '/../../config.php';
require __DIR__ . '/../../version.php';
$pending = $version > (int) get_config('version');
if (in_array('--is-pending', $argv, true)) {
    exit($pending ? 2 : 0);
}
if (is_file("$CFG->dirroot/lib/refused") || $maturity < MATURITY_STABLE && !in_array('--allow-unstable', $argv, true)) {
    fwrite(STDERR, "refused\n");
    exit(1);
}
set_config('upgraderunning', (string) (time() + 300));
$DB->query("INSERT INTO {$CFG->prefix}upgrade_log (info) VALUES ('Starting core upgrade')");
if (is_file("$CFG->dirroot/lib/broken")) {
    fwrite(STDERR, "half of it is done\n");
    exit(1);
}
$DB->query("DELETE FROM {$CFG->prefix}config WHERE name = 'upgraderunning'");
set_config('version', (string) max($version, (int) get_config('version')));
PHP
cat >moodle/admin/cli/maintenance.php <<'PHP'
<?php
define('CLI_SCRIPT', true);
require __DIR__ . '/../../config.php';
match ($argv[1] ?? '') {
    '--enable' => file_put_contents("$CFG->dataroot/climaintenance.html", 'maintenance'),
    '--disable' => unlink("$CFG->dataroot/climaintenance.html"),
    default => print("maintenance.php --enable | --disable\n"),
};
PHP
cat >moodle/admin/cli/cron.php <<'PHP'
<?php
define('CLI_SCRIPT', true);
require __DIR__ . '/../../config.php';
echo 'cron with ', implode(' ', array_slice($argv, 1)), "\n";
PHP
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -c moodle | gzip -n >"$into.new"
mv "$into.new" "$into"
rm -rf "$work"
