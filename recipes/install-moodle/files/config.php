<?php
/**
 * Moodle's settings on a machine that was started from a golden image. Written by goldseed.
 *
 * No secret is in this file: it travels in the image. Host, name and user of the database are in /etc/goldseed, passwords
 * are fetched at each boot into memory (/run), so that one that was changed needs a reboot and no new image.
 */
unset($CFG);
global $CFG;
$CFG = new stdClass();

$goldseed_value = static function (string $path): string {
    return is_readable($path) ? rtrim((string) file_get_contents($path), "\r\n") : '';
};

$CFG->dbtype = {{ database_type | php }};
$CFG->dblibrary = 'native';
$CFG->dbhost = $goldseed_value('/etc/goldseed/database/host');
$CFG->dbname = $goldseed_value('/etc/goldseed/database/name');
$CFG->dbuser = $goldseed_value('/etc/goldseed/database/user');
$CFG->dbpass = $goldseed_value('/run/goldseed-secrets/database-password');
$CFG->prefix = {{ prefix | php }};
$CFG->dboptions = [
    'dbpersist' => false,
    'dbport' => $goldseed_value('/etc/goldseed/database/port'),
    'dbcollation' => 'utf8mb4_unicode_ci',
];
if (is_file('/etc/goldseed/database/ca.pem')) {
    // The authority is in PHP's openssl.cafile: the server's certificate is checked.
    $CFG->dboptions['ssl'] = 'verify-full';
}
if (is_file('/etc/goldseed/database/reader')) {
    // What only looks, and not right after a change, is asked of the readers.
    $CFG->dboptions['readonly'] = ['instance' => [$goldseed_value('/etc/goldseed/database/reader')], 'latency' => 1];
}
if ($CFG->dbpass === '') {
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

// The same on all machines, whatever name they are asked by.
$CFG->wwwroot = {% if https %}'https://' . {% else %}'http://' . {% endif %}{{ address | php }};
{% if https %}// TLS ends at the balancer.
$CFG->sslproxy = true;
{% endif %}
$CFG->admin = 'admin';

// Shared by all machines, temporary files and caches of the whole site included.
$CFG->dataroot = {{ data | php }};
$CFG->directorypermissions = 02770;
// Of this machine alone, and empty after each boot.
$CFG->localcachedir = '/var/cache/goldseed/moodle/local';
$CFG->alternative_component_cache = '/var/cache/goldseed/moodle/core_component.php';
// Locks of files would need a file system that locks.
$CFG->lock_factory = '\core\lock\db_record_lock_factory';

{% if session_redis %}$CFG->session_handler_class = '\core\session\redis';
$CFG->session_redis_host = {{ session_redis | php }};
$CFG->session_redis_port = {{ session_redis_port }};
$CFG->session_redis_prefix = 'moodle_session_';
$CFG->session_redis_acquire_lock_timeout = 120;
$CFG->session_redis_lock_expire = 7200;
{% if session_redis_tls %}$CFG->session_redis_encrypt = ['verify_peer' => true, 'verify_peer_name' => true];
{% endif %}$goldseed_redis = $goldseed_value('/run/goldseed-secrets/moodle-session-redis');
if ($goldseed_redis !== '') {
    $CFG->session_redis_auth = $goldseed_redis;
}
{% if cache_redis %}// The settings of caches, Redis for what all machines share; they hold a password, so they lie in memory.
$CFG->altcacheconfigpath = '/run/goldseed-moodle/caches.php';
{% endif %}{% else %}if (is_file('/etc/goldseed/memcached/server')) {
    // The server of sessions-memcached.
    $CFG->session_handler_class = '\core\session\memcached';
    $CFG->session_memcached_save_path = $goldseed_value('/etc/goldseed/memcached/server');
    $CFG->session_memcached_prefix = 'memc.sess.key.';
    $CFG->session_memcached_acquire_lock_timeout = 120;
    $CFG->session_memcached_lock_expire = 7200;
} else {
    $CFG->session_handler_class = '\core\session\database';
    $CFG->session_database_acquire_lock_timeout = 120;
}
{% endif %}
// A machine that changes itself is no longer like the others: code and programs come with the next image.
$CFG->disableupdateautodeploy = true;
$CFG->disableupdatenotifications = true;
$CFG->preventexecpath = true;
$CFG->uninstallclionly = true;
// Nobody starts cron by asking a page.
$CFG->cronclionly = true;

unset($goldseed_value, $goldseed_redis);

// From 5.1 on most of the code is below public.
require_once is_file(__DIR__ . '/lib/setup.php') ? __DIR__ . '/lib/setup.php' : __DIR__ . '/public/lib/setup.php';
