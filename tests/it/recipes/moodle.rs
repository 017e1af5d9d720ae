//! A site of Moodle's layout whose sessions are where another recipe says, with real servers beside it.

use goldseed::recipe::{Purpose, StepResult, compile};

use super::database::{PACKAGES, told_the_secret};
use super::library;
use super::machine::{Machine, Run};

/// On the web server's machine: a share, a memcached, and the archive that the recipe's own test makes.
const GROUND: &str = r"
printf '127.0.0.1 db.example\n' >>/etc/hosts
mkdir -p /var/lib/cloud/data /run/sandbox/file-systems/fs-0123456789abcdef0
echo i-0123456789abcdef0 >/var/lib/cloud/data/instance-id
apt-get -qq update
apt-get -qq -y install memcached >/dev/null 2>&1
systemctl start memcached.service
sh /srv/make-archive /srv/moodle.tgz
";

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one site from its installation to its image"
)]
fn moodle_keeps_sessions_in_the_memcached_of_the_recipe_for_it() {
    let database = Machine::start("goldseed/database", "none", &[]);
    database.sh(
        "DATABASE_PASSWORD=hunter2hunter2 setsid goldseed-database >/srv/database.log 2>&1 </dev/null &
         until mariadb-admin --socket=/run/mysqld/mysqld.sock ping >/dev/null 2>&1; do sleep 0.1; done",
    );
    let web = Machine::start(
        "goldseed/platform-php",
        &database.network(),
        &["--volume", PACKAGES],
    );
    let archive = include_str!("../../../recipes/install-moodle/files/test-archive.sh");
    web.sh(&format!(
        "cat >/srv/make-archive <<'SCRIPT'\n{archive}SCRIPT\n{GROUND}"
    ));
    let digest = web.sh("sha256sum </srv/moodle.tgz | cut -d ' ' -f 1");
    let site = |more: &str| {
        format!(
            "{{{more}archive: /srv/moodle.tgz, sha256: {}, address: learn.example.com, https: false, \
         admin_email: admin@example.com, admin_password: \"ssm:/admin\"}}",
            digest.trim()
        )
    };
    let recipes = |more: &str| {
        [
            library("bridge", "{}"),
            library("mount-efs", "file_system: fs-0123456789abcdef0"),
            library(
                "configure-db",
                "{host: db.example, name: school, user: admin, password: \"ssm:/db\"}",
            ),
            library("sessions-memcached", "host: 127.0.0.1"),
            library("install-moodle", &site(more)),
        ]
    };
    let applied = |more: &str| told_the_secret(&compile(&recipes(more), Purpose::Apply).unwrap());
    let failed = |run: &Run| {
        let mut results = run.results.values();
        results.any(|result| matches!(result, StepResult::Failed { .. }))
    };
    // The parameter that says which database it is, and a language that cannot be fetched, which ends a build once.
    let run = web.run(&applied(""));
    assert!(failed(&run), "{}", run.log);
    assert!(
        run.log.contains("write `database_type: mariadb`"),
        "{}",
        run.log
    );
    let apply = applied("database_type: mariadb, language: xx, ");
    let run = web.run(&apply);
    assert!(failed(&run), "{}", run.log);
    assert!(
        run.log
            .contains("its language pack xx could not be fetched"),
        "{}",
        run.log
    );
    let run = web.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    web.changes_nothing(&apply);
    web.sh("/opt/goldseed/bridge/deploy --in-place");
    let checks = web.run(&compile(&recipes("database_type: mariadb, "), Purpose::Verify).unwrap());
    assert_eq!(checks.code, 0, "{}", checks.log);

    let handler = || {
        web.sh("curl -sS http://127.0.0.1/login/index.php | sed -n 's/.*sessions by \\([^,]*\\),.*/\\1/p'")
    };
    assert_eq!(handler(), "\\core\\session\\memcached\n");
    let settings = web.sh("php -r '
        const CLI_SCRIPT = true;
        require \"/var/app/current/config.php\";
        $memcached = new Memcached();
        $memcached->addServer(...explode(\":\", $CFG->session_memcached_save_path));
        $memcached->set($CFG->session_memcached_prefix . 1, \"kept\");
        echo $memcached->get(\"memc.sess.key.1\"), $CFG->session_memcached_acquire_lock_timeout, isset($CFG->altcacheconfigpath);'");
    assert_eq!(settings, "kept120");

    // The password of a public test server, in code of the pinned archive, is no secret of this site until it is changed.
    for (name, script) in [
        (
            "ground.sh",
            include_str!("../../../recipes/generalise/files/ground.sh"),
        ),
        (
            "fetched.sh",
            include_str!("../../../recipes/generalise/files/fetched.sh"),
        ),
        (
            "scan.sh",
            include_str!("../../../recipes/generalise/files/scan.sh"),
        ),
    ] {
        web.sh(&format!(
            "mkdir -p /run/scan; cat >/run/scan/{name} <<'SCRIPT'\n{script}SCRIPT"
        ));
    }
    let code = "/opt/goldseed/app/moodle/mod/bigbluebuttonbn/classes/local/config.php";
    let search = || web.sh(&format!("sh /run/scan/scan.sh 2>&1 | grep -F {code}"));
    let found = search();
    assert!(
        found.starts_with("note secrets: ")
            && found.contains(&format!("archive {}", digest.trim())),
        "{found}"
    );
    web.sh(&format!("sed -i s/0b21/9c32/ {code}"));
    let found = search();
    assert!(found.starts_with("FAIL secrets: "), "{found}");

    // Without that recipe they are in the database.
    web.sh("mv /etc/goldseed/memcached /srv/");
    assert_eq!(handler(), "\\core\\session\\database\n");
}
