<?php
/**
 * Where Moodle keeps its caches, read by Moodle from `altcacheconfigpath`. Written by goldseed.
 *
 * It lies in memory, for Moodle writes it anew with all values, the password among them, as soon as it has looked for its
 * definitions of caches. Each machine has its own, and all the same.
 */
defined('MOODLE_INTERNAL') || die();

global $CFG;
$goldseed_store = static function (string $name, string $plugin, array $settings, bool $default): array {
    global $CFG;
    require_once "$CFG->dirroot/cache/stores/$plugin/lib.php";
    $class = "cachestore_$plugin";
    return [
        'name' => $name,
        'plugin' => $plugin,
        'configuration' => $settings,
        'features' => $class::get_supported_features($settings),
        'modes' => $class::get_supported_modes($settings),
        'default' => $default,
    ];
};
$goldseed_redis = [
    'server' => $CFG->session_redis_host . ':' . $CFG->session_redis_port,
    // Sites that share a Redis are kept apart by it.
    'prefix' => 'moodle_cache_' . substr(hash('sha256', "$CFG->wwwroot $CFG->dbname $CFG->prefix"), 0, 16) . '_',
    'password' => $CFG->session_redis_auth ?? '',
];
if (!empty($CFG->session_redis_encrypt)) {
    $goldseed_redis['encryption'] = true;
    // Without a list of authorities Moodle would take any certificate.
    $goldseed_lists = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
    $goldseed_redis['cafile'] = ini_get('openssl.cafile') ?: current(array_filter($goldseed_lists, 'is_readable'))
        ?: throw new RuntimeException('there is no list of authorities to check the certificate of Redis by');
}

$configuration = [
    // A part of all keys, so it must be the same on all machines, from their first request on.
    'siteidentifier' => md5("$CFG->wwwroot $CFG->dbname $CFG->prefix"),
    'stores' => [
        'default_application' => $goldseed_store('default_application', 'file', [], true),
        'default_session' => $goldseed_store('default_session', 'session', [], true),
        'default_request' => $goldseed_store('default_request', 'static', [], true),
        'goldseed_redis' => $goldseed_store('goldseed_redis', 'redis', $goldseed_redis, false),
    ],
    // 1 is what all users share, 2 what belongs to a session, 4 to a request.
    'modemappings' => [
        ['mode' => 1, 'store' => 'goldseed_redis', 'sort' => 0],
        ['mode' => 2, 'store' => 'default_session', 'sort' => -1],
        ['mode' => 4, 'store' => 'default_request', 'sort' => -1],
    ],
    // Moodle finds them by itself.
    'definitions' => [],
    'definitionmappings' => [],
    'locks' => [
        'default_file_lock' => [
            'name' => 'cachelock_file_default',
            'type' => 'cachelock_file',
            'dir' => 'filelocks',
            'default' => true,
        ],
    ],
];
unset($goldseed_store, $goldseed_redis, $goldseed_lists);
