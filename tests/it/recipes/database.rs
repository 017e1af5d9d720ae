//! A site whose database and code come over TLS: a MariaDB that takes nothing else, and an archive of WordPress.

use goldseed::recipe::{Purpose, Script, compile};

use super::machine::Machine;
use super::{library, with_functions};

/// On the database's machine: an authority, certificates of the names that are used, and the database, which speaks
/// TLS alone.
const SERVERS: &str = r#"
mkdir -p /srv/web/global && cd /srv
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1-server.key" -out server.csr 2>/dev/null
    printf 'subjectAltName=DNS:db.example,DNS:truststore.pki.rds.amazonaws.com,DNS:downloads.example\n' >names
    openssl x509 -req -in server.csr -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 2 -extfile names -out "$1-server.pem" 2>/dev/null
}
for name in authority other; do
    authority $name
    certificate $name db.example
done
cp authority.pem web/global/global-bundle.pem
chmod 0644 ./*.key
printf '[mariadbd]\nssl-cert = /srv/server.pem\nssl-key = /srv/server.key\nrequire-secure-transport = ON\nport = 3307\n' \
    >/etc/mysql/mariadb.conf.d/95-tls.cnf
cat >/srv/start <<'SCRIPT'
pkill mariadbd || :
while pgrep mariadbd >/dev/null; do sleep 0.1; done
ln -sf "/srv/$1-server.pem" /srv/server.pem
ln -sf "/srv/$1-server.key" /srv/server.key
DATABASE_PASSWORD=hunter2hunter2 setsid goldseed-database >/srv/database.log 2>&1 </dev/null &
until mariadb-admin --socket=/run/mysqld/mysqld.sock ping >/dev/null 2>&1; do sleep 0.1; done
SCRIPT
sh /srv/start authority
cd web
setsid openssl s_server -quiet -WWW -accept 443 -cert ../authority-server.pem -key ../authority-server.key >/dev/null 2>&1 </dev/null &
"#;

/// On the web server's machine, which has the same loopback: names, a share, and an archive of what the distribution has.
const GROUND: &str = r"
printf '127.0.0.1 db.example truststore.pki.rds.amazonaws.com downloads.example\n' >>/etc/hosts
mkdir -p /var/lib/cloud/data /run/sandbox/file-systems/fs-0123456789abcdef0
echo i-0123456789abcdef0 >/var/lib/cloud/data/instance-id
update-ca-certificates >/dev/null 2>&1
apt-get -qq update
apt-get -qq -y install wordpress wordpress-theme-twentytwentythree >/dev/null 2>&1
tar --create --gzip --dereference --directory /usr/share --file /srv/wordpress.tar.gz wordpress
";

#[test]
fn a_site_whose_database_and_archive_come_by_tls_alone() {
    let database = Machine::start("goldseed/database", "none", &[]);
    database.sh(SERVERS);
    let web = Machine::start(
        "goldseed/platform-php",
        &database.network(),
        &["--volume", PACKAGES],
    );
    let authority = database.sh("cat /srv/authority.pem");
    web.sh(&format!(
        "cat >/usr/local/share/ca-certificates/test.crt <<'PEM'\n{authority}PEM\n{GROUND}"
    ));
    // Both have one network, and each its own disk.
    let archive = web.sh("base64 -w 0 /srv/wordpress.tar.gz");
    database.sh(&format!(
        "base64 -d >/srv/web/wordpress.tar.gz <<'BASE64'\n{archive}\nBASE64\n"
    ));
    let digest = web.sh("sha256sum </srv/wordpress.tar.gz | cut -d ' ' -f 1");

    let site = format!(
        "{{title: Tea, admin_email: admin@example.com, url: \"https://www.example.com\", \
         archive: \"https://downloads.example/wordpress.tar.gz\", sha256: {}}}",
        digest.trim()
    );
    let recipes = [
        library("bridge", "{}"),
        library("mount-efs", "file_system: fs-0123456789abcdef0"),
        library(
            "configure-db",
            "{host: db.example, port: 3307, name: site, user: admin, password: \"ssm:/db\", tls: true}",
        ),
        library("install-wordpress", &site),
    ];
    let apply = told_the_secret(&compile(&recipes, Purpose::Apply).unwrap());
    let run = web.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    web.changes_nothing(&apply);
    web.sh("/opt/goldseed/bridge/deploy --in-place");
    let checks = web.run(&compile(&recipes, Purpose::Verify).unwrap());
    assert_eq!(checks.code, 0, "{}", checks.log);
    let cipher = web.sh("echo \"SHOW STATUS LIKE 'Ssl_cipher'\" | /opt/goldseed/bin/database");
    assert!(cipher.contains("TLS"), "{cipher}");

    // A visitor who comes through the balancer, by its name and not by the site's, sees the page.
    let visit = || {
        web.sh(
            "curl -sS -H 'X-Forwarded-For: 192.0.2.1' -o /srv/page -w '%{http_code} %{redirect_url}' http://127.0.0.1/",
        )
    };
    assert_eq!(visit(), "200 ");
    web.sh("grep -q wp-content/themes /srv/page && grep -q '</html>' /srv/page && grep -q https://www.example.com/ /srv/page");

    logins_go_by_https_where_the_site_does(&web);
    let verify = compile(&recipes, Purpose::Verify).unwrap();
    a_site_that_forces_https_can_be_built(&web, &verify);
    // TLS may end before the load balancer, which then says `http` of every request.
    let mut assumed = recipes.clone();
    assumed[3] = library("install-wordpress", &site.replace('}', ", https: assumed}"));
    let run = web.run(&told_the_secret(
        &compile(&assumed, Purpose::Apply).unwrap(),
    ));
    assert_eq!(run.code, 0, "{}", run.log);
    web.sh("/opt/goldseed/bridge/deploy --in-place");
    assert_eq!(
        login(&web, &format!("{VISITOR} -H 'X-Forwarded-Proto: http'")),
        "200 "
    );
    assert_eq!(web.run(&apply).code, 0);
    web.sh("/opt/goldseed/bridge/deploy --in-place");

    // A constant that the recipe sets itself is refused, and what is no constant at all.
    for constant in ["DISABLE_WP_CRON=false", "no constant"] {
        let values = site.replace('}', &format!(", constants: [\"{constant}\"]}}"));
        let wrong = [library("install-wordpress", &values)];
        let run = web.run(&told_the_secret(&compile(&wrong, Purpose::Apply).unwrap()));
        let told = format!("{constant} in `constants` is not NAME=value");
        assert!(run.code == 1 && run.log.contains(&told), "{}", run.log);
    }
    assert_eq!(web.run(&apply).code, 0);

    // A server whose certificate another authority has signed is not spoken to, by the command line and by PHP.
    let ask = "echo 'SELECT 42;' | /opt/goldseed/bin/database 2>&1 || echo refused";
    assert_eq!(web.sh(ask), "42\n");
    database.sh("sh /srv/start other");
    let answer = web.sh(ask);
    assert!(
        answer.contains("certificate") && answer.contains("refused"),
        "{answer}"
    );
    assert!(!visit().starts_with("200"));
    database.sh("sh /srv/start authority");
    assert_eq!(visit(), "200 ");

    // The list of authorities is published anew: the next build takes it.
    database.sh("cat /srv/other.pem >>/srv/web/global/global-bundle.pem");
    let run = web.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(
        web.sh("grep -c BEGIN /etc/goldseed/database/ca.pem"),
        "2\n",
        "{}",
        run.log
    );
    web.changes_nothing(&apply);
    tls_is_for_php_that_comes_later_and_goes_without_a_trace(&web);
}

/// The headers of a visitor, as the load balancer passes them on.
const VISITOR: &str = "-H 'Host: www.example.com' -H 'X-Forwarded-For: 192.0.2.1'";

/// How the login page answers.
fn login(web: &Machine, headers: &str) -> String {
    web.sh(&format!(
        "curl -sS -o /dev/null -w '%{{http_code}} %{{redirect_url}}' {headers} http://127.0.0.1/wp-login.php"
    ))
}

fn logins_go_by_https_where_the_site_does(web: &Machine) {
    assert_eq!(
        login(web, VISITOR),
        "302 https://www.example.com/wp-login.php"
    );
    let by_https = format!("{VISITOR} -H 'X-Forwarded-Proto: https'");
    assert_eq!(login(web, &by_https), "200 ");
    // What is checked on the machine itself comes by http.
    assert_eq!(login(web, ""), "200 ");
}

/// The checks ask as the load balancer does for a visitor who comes by https.
fn a_site_that_forces_https_can_be_built(web: &Machine, verify: &Script) {
    const PLUGIN: &str = "/var/app/current/wp-content/mu-plugins/force-https.php";
    web.sh(&format!(
        "cat >{PLUGIN} <<'PHP'\n<?php\nif (PHP_SAPI !== 'cli' && !is_ssl()) {{\n\
         header('Location: https://' . $_SERVER['HTTP_HOST'] . $_SERVER['REQUEST_URI'], true, 301);\nexit;\n}}\nPHP\n"
    ));
    assert_eq!(
        login(web, VISITOR),
        "301 https://www.example.com/wp-login.php"
    );
    let run = web.run(verify);
    assert_eq!(run.code, 0, "{}", run.log);
    web.sh(&format!("rm {PLUGIN}"));
}

fn tls_is_for_php_that_comes_later_and_goes_without_a_trace(web: &Machine) {
    let recipe = |tls: &str| {
        [library(
            "configure-db",
            &format!(
                "{{host: db.example, port: 3307, name: site, user: admin, password: \"ssm:/db\", tls: {tls}}}"
            ),
        )]
    };
    let apply = |tls: &str| told_the_secret(&compile(&recipe(tls), Purpose::Apply).unwrap());
    let verify = |tls: &str| web.run(&compile(&recipe(tls), Purpose::Verify).unwrap());

    // As on a machine that has PHP's extension for MySQL, and no php-fpm before the next recipe.
    web.sh("mv /etc/php/8.2/fpm/conf.d /srv/php-fpm; rm /srv/php-fpm/99-goldseed-database.ini");
    let run = web.run(&apply("true"));
    assert_eq!(run.code, 0, "{}", run.log);
    web.sh("cp -a /srv/php-fpm/. /etc/php/8.2/fpm/conf.d/");
    web.changes_nothing(&apply("true"));
    let authorities =
        "php-fpm8.2 -i | grep -c 'openssl.cafile => /etc/goldseed/database/ca-php.pem' || :";
    assert_eq!(web.sh(authorities), "1\n");
    assert_eq!(verify("true").code, 0);

    // A version of which nothing was known then is found by the check.
    web.sh("mkdir -p /etc/php/8.4/fpm/conf.d");
    let run = verify("true");
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(
        run.log
            .contains("the PHP that reads /etc/php/8.4/fpm/conf.d does not trust the database"),
        "{}",
        run.log
    );
    web.sh("rm -r /etc/php/8.4");

    // Switched off again.
    let run = web.run(&apply("false"));
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(web.sh(authorities), "0\n", "{}", run.log);
    let left = "find /etc /opt -path '*goldseed*' -name 'ca*.pem' -o -name '*goldseed-database.ini' -o -name database-certificates";
    assert_eq!(web.sh(left), "", "{}", run.log);
    web.changes_nothing(&apply("false"));
}

/// Where `scripts/setup` keeps the packages that machines without a network install, and where they look for them.
pub(super) const PACKAGES: &str = "/var/lib/goldseed-sandbox/packages:/run/sandbox/packages:ro";

/// The script, with the value of every secret.
pub(super) fn told_the_secret(script: &Script) -> Script {
    with_functions(
        script,
        "gs_fetch() { printf '{\"Value\": \"hunter2hunter2\"}' > \"$gs_work/answer\"; }",
    )
}
