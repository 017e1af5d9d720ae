<?php
/**
 * The page that a balancer asks: 200 when this machine reaches its database and its shared files, else 503.
 *
 * It never redirects, whatever name it is asked by, and loads nothing of WordPress, so that a plugin that fails does
 * not take all machines out of service at once.
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

// The list of mounts is asked and not the directory: a file system that hangs would hang this page too.
$files = static function (): bool {
    $mounted = [];
    foreach (file('/proc/self/mounts') as $line) {
        $mounted[] = preg_replace_callback(
            '/\\\\([0-7]{3})/',
            static fn (array $octal): string => chr((int) octdec($octal[1])),
            explode(' ', $line)[1]
        );
    }
    // What visitors upload must lie on one of them; the link is read and not followed, as above.
    $uploads = @readlink(__DIR__ . '/wp-content/uploads') . '/';
    $shared = false;
    foreach (glob('/opt/goldseed/bridge/mounts.d/*') ?: [] as $list) {
        foreach (file($list, FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) as $directory) {
            if (!in_array(rtrim($directory, '/'), $mounted, true)) {
                return false;
            }
            $shared = $shared || str_starts_with($uploads, rtrim($directory, '/') . '/');
        }
    }
    return $shared;
};

$answers = ['database' => $database(), 'files' => $files()];
http_response_code(in_array(false, $answers, true) ? 503 : 200);
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
foreach ($answers as $subject => $well) {
    echo $subject, ' ', $well ? 'ok' : 'not ok', "\n";
}
