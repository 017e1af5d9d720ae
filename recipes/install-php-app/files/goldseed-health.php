<?php
/**
 * The page that a balancer asks: 200 when this machine reaches its database, if it has one, and its shared files, else
 * 503.
 *
 * It never redirects, whatever name it is asked by, and loads nothing of the application, so that a part that fails
 * does not take all machines out of service at once.
 */

$value = static function (string $path): string {
    return is_readable($path) ? rtrim((string) file_get_contents($path), "\r\n") : '';
};

$database = static function () use ($value): bool {
    mysqli_report(MYSQLI_REPORT_OFF);
    $connection = mysqli_init();
    $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, 3);
    $settings = '/etc/goldseed/database/';
    $flags = is_file($settings . 'ca.pem') ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT : 0;
    $connected = @$connection->real_connect(
        $value($settings . 'host'),
        $value($settings . 'user'),
        $value('/run/goldseed-secrets/database-password'),
        $value($settings . 'name'),
        (int) $value($settings . 'port'),
        null,
        $flags
    );
    return $connected && $connection->query('SELECT 1') !== false;
};

// The lines of all files of a folder.
$lines = static function (string $folder): array {
    $lines = [];
    foreach (glob("$folder/*") ?: [] as $list) {
        $lines = array_merge($lines, file($list, FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES));
    }
    return $lines;
};

// The list of mounts is asked and not the directories: a file system that hangs would hang this page too.
$files = static function () use ($lines): bool {
    $mounted = [];
    foreach (file('/proc/self/mounts') as $line) {
        $mounted[] = preg_replace_callback(
            '/\\\\([0-7]{3})/',
            static fn (array $octal): string => chr((int) octdec($octal[1])),
            explode(' ', $line)[1]
        );
    }
    $shares = array_map(static fn (string $share): string => rtrim($share, '/'), $lines('/opt/goldseed/bridge/mounts.d'));
    if (array_diff($shares, $mounted) !== []) {
        return false;
    }
    // What users leave must lie on one of them, or be its root.
    foreach ($lines('/etc/goldseed/shared.d') as $folder) {
        $folder = rtrim($folder, '/');
        $within = static fn (string $share): bool => str_starts_with("$folder/", "$share/");
        if (array_filter($shares, $within) === []) {
            return false;
        }
    }
    return true;
};

$answers = ['files' => $files()];
if (is_file('/etc/goldseed/database/host')) {
    $answers['database'] = $database();
}
http_response_code(in_array(false, $answers, true) ? 503 : 200);
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
foreach ($answers as $subject => $well) {
    echo $subject, ' ', $well ? 'ok' : 'not ok', "\n";
}
