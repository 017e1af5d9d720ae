<?php
/**
 * WordPress's settings on a machine that was started from a golden image.
 *
 * No secret is in this file: it travels in the image. Host, name and user of the database are in /etc/goldseed, the
 * password is fetched at each boot into memory (/run), so that a rotated password needs a reboot and no new image.
 */

$goldseed_value = static function (string $path): string {
    return is_readable($path) ? rtrim((string) file_get_contents($path), "\r\n") : '';
};

$goldseed_password = $goldseed_value('/run/goldseed-secrets/database-password');
if ($goldseed_password === '') {
    $goldseed_why = "This machine has not fetched its secrets yet.\n";
    if (PHP_SAPI === 'cli') {
        // A text alone would end with 0, which says that all is well.
        fwrite(STDERR, $goldseed_why);
        exit(1);
    }
    http_response_code(503);
    header('Retry-After: 30');
    exit($goldseed_why);
}

define('DB_HOST', $goldseed_value('/etc/goldseed/database/host') . ':' . $goldseed_value('/etc/goldseed/database/port'));
define('DB_NAME', $goldseed_value('/etc/goldseed/database/name'));
define('DB_USER', $goldseed_value('/etc/goldseed/database/user'));
define('DB_PASSWORD', $goldseed_password);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
if (is_file('/etc/goldseed/database/ca.pem')) {
    // The authority is in PHP's openssl.cafile: the server's certificate is checked.
    define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT);
}

// The same on all machines, or a login would end where the balancer changes the machine: derived from one secret.
$goldseed_salt = $goldseed_value('/run/goldseed-secrets/wordpress-salt');
if ($goldseed_salt === '') {
    $goldseed_salt = $goldseed_password;
}
$goldseed_derived = static fn (string $name): string => hash_hmac('sha256', 'goldseed wordpress ' . $name, $goldseed_salt);
define('AUTH_KEY', $goldseed_derived('AUTH_KEY'));
define('AUTH_SALT', $goldseed_derived('AUTH_SALT'));
define('SECURE_AUTH_KEY', $goldseed_derived('SECURE_AUTH_KEY'));
define('SECURE_AUTH_SALT', $goldseed_derived('SECURE_AUTH_SALT'));
define('LOGGED_IN_KEY', $goldseed_derived('LOGGED_IN_KEY'));
define('LOGGED_IN_SALT', $goldseed_derived('LOGGED_IN_SALT'));
define('NONCE_KEY', $goldseed_derived('NONCE_KEY'));
define('NONCE_SALT', $goldseed_derived('NONCE_SALT'));

{% if https == "assumed" %}// TLS ends before the balancer, which takes every request for plain http.
$_SERVER['HTTPS'] = 'on';
{% else %}// TLS ends at the balancer.
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
{% endif %}
// The address of the site: as configured, else as the visitor came. Checks on the machine itself come by 127.0.0.1 and
// are not sent to the public address.
//
// Anybody can ask by any name, and "Lost your password?" would mail an administrator a link to it. So a request whose
// name is taken for the site's sends no mail: WordPress says that it could not be sent.
$goldseed_url = rtrim($goldseed_value('/etc/goldseed/wordpress/url'), '/');
$goldseed_host = $_SERVER['HTTP_HOST'] ?? '';
$goldseed_local = in_array($_SERVER['REMOTE_ADDR'] ?? '', ['127.0.0.1', '::1'], true)
    && !isset($_SERVER['HTTP_X_FORWARDED_FOR']);
if (($goldseed_url === '' || $goldseed_local) && preg_match('/^[A-Za-z0-9.-]+(:[0-9]{1,5})?$/', $goldseed_host)) {
    $goldseed_url = (($_SERVER['HTTPS'] ?? '') === 'on' ? 'https://' : 'http://') . $goldseed_host;
    $GLOBALS['wp_filter']['pre_wp_mail'][10]['goldseed'] = [
        'function' => static fn (): bool => false,
        'accepted_args' => 0,
    ];
}
if ($goldseed_url !== '') {
    define('WP_HOME', $goldseed_url);
    define('WP_SITEURL', $goldseed_url);
    // Logins and the administration go by https alone where the site does.
    define('FORCE_SSL_ADMIN', str_starts_with($goldseed_url, 'https://'));
}

// A machine that updates itself is no longer like the others: changes come with the next image.
define('DISALLOW_FILE_MODS', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_AUTO_UPDATE_CORE', false);
// Cron would run on every machine at once, in visitors' requests.
define('DISABLE_WP_CRON', true);
define('FS_METHOD', 'direct');

$table_prefix = {{ table_prefix | php }};

// As configured: words of JSON (true, 128) are what they are there, all else is text.
foreach ([
{% for constant in constants %}    {{ constant | php }},
{% endfor %}] as $goldseed_constant) {
    [$goldseed_name, $goldseed_text] = explode('=', $goldseed_constant, 2);
    define($goldseed_name, json_decode($goldseed_text, true) ?? $goldseed_text);
}

// For an object cache (wp-content/object-cache.php), which WordPress does not bring: the Redis of sessions-redis. The salt
// keeps sites apart that share one.
if (is_file('/etc/goldseed/redis/host')) {
    $goldseed_redis = [
        'WP_CACHE_KEY_SALT' => hash('sha256', DB_HOST . '/' . DB_NAME . '/' . $table_prefix) . ':',
        'WP_REDIS_CLIENT' => 'phpredis',
        'WP_REDIS_SCHEME' => $goldseed_value('/etc/goldseed/redis/tls') === 'true' ? 'tls' : 'tcp',
        'WP_REDIS_HOST' => $goldseed_value('/etc/goldseed/redis/host'),
        'WP_REDIS_PORT' => (int) $goldseed_value('/etc/goldseed/redis/port'),
        'WP_REDIS_TIMEOUT' => 3,
        'WP_REDIS_READ_TIMEOUT' => 5,
    ];
    if (is_file('/run/goldseed-secrets/redis-password')) {
        $goldseed_redis['WP_REDIS_PASSWORD'] = $goldseed_value('/run/goldseed-secrets/redis-password');
    }
    foreach ($goldseed_redis as $goldseed_name => $goldseed_text) {
        defined($goldseed_name) || define($goldseed_name, $goldseed_text);
    }
}

unset($goldseed_value, $goldseed_password, $goldseed_salt, $goldseed_derived, $goldseed_url, $goldseed_host,
    $goldseed_local, $goldseed_constant, $goldseed_name, $goldseed_text, $goldseed_redis);

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
