//! `goldseed.yaml`: what people write wrong, and what they are told.

use std::path::Path;
use std::time::Duration;

use goldseed::document::Value;
use goldseed::id::{ImageId, SecurityGroupId, SubnetId};
use goldseed::settings::{Settings, SettingsError, Source, Watch, starter};

const GOOD: &str = r#"goldseed: 1
account: "123456789012"
region: eu-central-1
tags: {team: web, cost-centre: 42}
defaults:
  seed: {instance-type: t3.small, instance-profile: goldseed-seed}
  watch: {soak: 3m}
pipelines:
  shop:
    environment: shop-prod
    application: shop
    source: platform
    seed:
      subnet: subnet-0a1b2c3d4e5f60718
      security-groups: [sg-0a1b2c3d, sg-11111111]
      instance-type: t3.large
      volume-size: 20
    recipes:
      - mount-efs: {file_system: fs-0123456789abcdef0}
      - my-own-recipe
    watch: {good: 9}
    probes: [{url: "https://shop.example.com/", contains: Welcome}]
  blog:
    environment: blog-prod
    source: ami-0a1b2c3d4e5f60718
    recipes: [my-own-recipe]
"#;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("goldseed.yaml"), text.to_owned()).map_err(|wrong| wrong.to_string())
}

/// A file with one pipeline, in which `line` stands beside its environment.
fn pipeline(lines: &str) -> String {
    let indented = lines.lines().fold(String::new(), |text, line| {
        text + "    "
            + line
            + "
"
    });
    format!(
        "goldseed: 1\npipelines:\n  shop:\n    environment: shop-prod\n    recipes: [a]\n{indented}"
    )
}

#[test]
fn a_good_file_says_what_it_says_and_defaults_say_the_rest() {
    let settings = parse(GOOD).unwrap();
    assert_eq!(settings.account.as_deref(), Some("123456789012"));
    assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
    assert_eq!(settings.tags["cost-centre"], "42");

    let shop = &settings.pipelines["shop"];
    assert_eq!(shop.source, Source::Platform);
    assert_eq!(shop.seed.instance_type.as_deref(), Some("t3.large"));
    assert_eq!(shop.seed.instance_profile.as_deref(), Some("goldseed-seed"));
    assert_eq!(
        shop.seed.subnet,
        Some(SubnetId::new("subnet-0a1b2c3d4e5f60718"))
    );
    assert_eq!(
        shop.seed.security_groups,
        [
            SecurityGroupId::new("sg-0a1b2c3d"),
            SecurityGroupId::new("sg-11111111")
        ]
    );
    assert_eq!(
        shop.watch,
        Watch {
            soak: Duration::from_mins(3),
            good: 9,
            of: 10,
            deadline: Duration::from_hours(1),
        }
    );
    assert_eq!(shop.probes[0].status, 200);
    assert_eq!(shop.recipes[0].name, "mount-efs");
    let written = settings.text.slice(&shop.recipes[0].values.span);
    assert_eq!(written, "{file_system: fs-0123456789abcdef0}");
    assert_eq!(shop.recipes[1].values.value, Value::Map(Vec::new()));
    assert_eq!(
        settings.text.slice(&shop.recipes[1].name_span),
        "my-own-recipe"
    );

    let blog = &settings.pipelines["blog"];
    assert_eq!(
        blog.source,
        Source::Image(ImageId::new("ami-0a1b2c3d4e5f60718"))
    );
    assert_eq!(blog.seed.instance_type.as_deref(), Some("t3.small"));
    assert_eq!(blog.watch.soak, Duration::from_mins(3));
    assert_eq!(blog.application, None);
}

#[test]
fn every_mistake_is_shown_with_its_place_and_what_to_do() {
    let too_many = (0..31).fold(String::new(), |text, number| {
        text + &format!(
            "  t{number}: x
"
        )
    });
    let cases = [
        ("empty", String::new()),
        ("a_list", "- goldseed\n".to_owned()),
        ("no_format", "pipelines: {shop: {environment: shop-prod, recipes: [a]}}\n".to_owned()),
        ("another_format", "goldseed: 2\npipelines: {shop: {environment: shop-prod, recipes: [a]}}\n".to_owned()),
        ("misspelt_at_the_top", pipeline("").replace("pipelines", "pipeline")),
        ("misspelt_in_a_pipeline", pipeline("enviroment: x\nprobe: []\n")),
        ("misspelt_in_the_seed", pipeline("seed: {instance_type: t3.small, colour: red}\n")),
        ("account_without_quotes", format!("account: 123456789012\n{}", pipeline(""))),
        ("account_and_region_of_another_form", format!("account: \"1234\"\nregion: Frankfurt\n{}", pipeline(""))),
        ("tags_that_aws_refuses", format!(
            "tags:\n  aws:x: a\n  Goldseed:run: b\n  elasticbeanstalk:environment-name: c\n  Name: d\n  \
             team: web & more\n  empty:\n  list: [a]\n  \"{}\": e\n  value: \"{}\"\n{}",
            "k".repeat(129), "v".repeat(257), pipeline("")
        )),
        ("too_many_tags", format!("tags:\n{too_many}{}", pipeline(""))),
        ("no_pipeline", "goldseed: 1\npipelines: {}\n".to_owned()),
        ("pipelines_missing", "goldseed: 1\n".to_owned()),
        ("a_pipeline_that_is_empty", "goldseed: 1\npipelines:\n  shop:\n".to_owned()),
        ("names_of_pipelines", "goldseed: 1\npipelines:\n  Shop_1: {environment: shop-prod, recipes: [a]}\n  \
             a-name-that-is-longer-than-an-image-can-have: {environment: shop-prod, recipes: [a]}\n".to_owned()),
        ("environment_and_recipes_missing", "goldseed: 1\npipelines:\n  shop: {source: instance}\n".to_owned()),
        ("environment_of_another_form", "goldseed: 1\npipelines:\n  shop: {environment: sh, recipes: [a], application: a/b}\n".to_owned()),
        ("source_misspelt", pipeline("source: plattform\n")),
        ("source_that_is_none", pipeline("source: i-0a1b2c3d4e5f60718\n")),
        ("seed_values", pipeline(
            "seed:\n  instance-type: small\n  subnet: sg-12345678\n  security-groups: [sg-1, 2]\n  \
             instance-profile: arn:aws:iam::123456789012:instance-profile/web/seed\n  volume-size: 0\n"
        )),
        ("no_security_group", pipeline("seed: {security-groups: []}\n")),
        ("watch_values", pipeline("watch: {soak: 5 minutes, good: 0, of: many, deadline: 60}\n")),
        ("more_good_looks_than_looks", pipeline("watch: {good: 8, of: 5}\n")),
        ("good_looks_that_are_no_majority", pipeline("watch: {good: 5, of: 10}\n")),
        ("a_deadline_before_the_end_of_the_soak", pipeline("watch: {soak: 2h}\n")),
        ("watch_out_of_bounds", pipeline("watch: {soak: 1s, deadline: 2d}\n")),
        ("defaults_that_cannot_be", format!("defaults: {{watch: {{good: 3}}, recipes: [a]}}\n{}", pipeline(""))),
        ("recipes_as_a_map", pipeline("").replace("[a]", "{mount-efs: {}}")),
        ("no_recipe", pipeline("").replace("[a]", "[]")),
        ("recipes_written_wrong", pipeline("").replace(
            "[a]",
            "\n      - mount-efs:\n        file_system: fs-1\n      - ../evil\n      - 7\n      - x: [1]"
        )),
        ("probes", pipeline(
            "probes:\n  - {url: shop.example.com, status: 99}\n  - {contains: x}\n  - {url: \"https://x/\", contains: \"\"}\n  - https://x/\n"
        )),
        ("a_key_twice", pipeline("environment: shop-test\n")),
        ("not_yaml", "goldseed: 1\npipelines:\n  shop: {environment: [\n".to_owned()),
    ];
    for (name, text) in cases {
        insta::assert_snapshot!(name, parse(&text).unwrap_err());
    }
}

#[test]
fn a_file_that_is_not_there_or_not_readable_is_an_error_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("goldseed.yaml");
    let error = Settings::load(&absent).unwrap_err();
    assert!(
        matches!(&error, SettingsError::Absent(path) if *path == absent),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!("there is no settings file {}", absent.display())
    );

    let error = Settings::load(folder.path()).unwrap_err();
    assert!(matches!(error, SettingsError::Unreadable(_)), "{error}");

    fs_err::write(&absent, b"goldseed: \xff\n").unwrap();
    let error = Settings::load(&absent).unwrap_err();
    let SettingsError::Invalid(mistakes) = error else {
        panic!("{error}");
    };
    let said = mistakes.to_string();
    assert!(
        said.contains("goldseed.yaml:1:11") && said.contains("UTF-8"),
        "{said}"
    );

    fs_err::write(&absent, GOOD).unwrap();
    assert_eq!(Settings::load(&absent).unwrap().path, absent);
}

#[test]
fn the_starter_is_refused_until_it_is_filled_in_and_good_then() {
    let text = starter("shop", "shop-prod");
    insta::assert_snapshot!("starter", parse(&text).unwrap_err());

    let settings = parse(&filled_in(&text)).unwrap();
    let shop = &settings.pipelines["shop"];
    assert_eq!(shop.environment, "shop-prod");
    assert_eq!(shop.source, Source::Platform);
    let names: Vec<&str> = shop
        .recipes
        .iter()
        .map(|recipe| recipe.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["bridge", "mount-efs", "configure-db", "install-wordpress"]
    );
}

/// What is commented out in the starter is good as well, once it is not.
#[test]
fn what_the_starter_offers_in_comments_is_taken() {
    let text = filled_in(&starter("shop", "shop-prod"))
        .replace("# instance-type:", "instance-type:")
        .replace("# subnet: subnet-…", "subnet: subnet-12345678")
        .replace(
            "# security-groups: [sg-…]",
            "security-groups: [sg-12345678]",
        )
        .replace("# volume-size:", "volume-size:")
        .replace("# watch:", "watch:")
        .replace("# probes:", "probes:")
        .replace("    #   - {url", "      - {url");
    let settings = parse(&text).unwrap();
    let shop = &settings.pipelines["shop"];
    assert_eq!(shop.seed.volume_size, Some(20));
    assert_eq!(shop.watch, Watch::default());
    assert_eq!(shop.probes[0].contains.as_deref(), Some("Welcome"));
}

fn filled_in(text: &str) -> String {
    text.replace("<the twelve digits of the account>", "123456789012")
        .replace("<region, such as eu-central-1>", "eu-central-1")
        .replace("<name of an instance profile>", "goldseed-seed")
        .replace("<id of the EFS file system, fs-…>", "fs-0123456789abcdef0")
        .replace("<address of the database>", "db.example.com")
        .replace("<address of the administrator>", "admin@example.com")
}

#[test]
fn a_site_says_its_address_and_how_it_is_reached() {
    let of = |lines: &str| {
        let settings = parse(&pipeline(lines))?;
        Ok::<_, String>(settings.pipelines["shop"].clone())
    };
    let shop = of("site: https://www.example.com/").unwrap();
    assert_eq!(shop.site.url.as_deref(), Some("https://www.example.com"));
    assert_eq!(shop.site.https, None);
    assert_eq!(of("").unwrap().site.url, None);

    let shop = of(
        "site: {url: \"https://www.example.com:8443\", https: false, via: instance, resolve: \"203.0.113.7:8080\",\n  \
           insecure: true, slower-than: 8s, headers: {X-Origin: ssm:/shop/origin, X-Count: 3}}\n\
         probes: [{url: \"https://www.example.com/a\", via: balancer, slower-than: 9s}]",
    )
    .unwrap();
    let request = &shop.site.request;
    assert_eq!(shop.site.https, Some(false));
    assert_eq!(request.via, Some("instance"));
    assert_eq!(request.resolve.as_deref(), Some("203.0.113.7:8080"));
    assert!(request.insecure);
    assert_eq!(request.slower_than, Some(Duration::from_secs(8)));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = [
        header("X-Origin", "ssm:/shop/origin"),
        header("X-Count", "3"),
    ];
    assert_eq!(request.headers, headers);
    assert_eq!(shop.probes[0].request.via, Some("balancer"));
    assert_eq!(
        shop.probes[0].request.slower_than,
        Some(Duration::from_secs(9))
    );

    for (wrong, why) in [
        ("site: www.example.com", "begins with http:// or https://"),
        ("site: https://www.example.com/shop", "has more than a host"),
        (
            "site: \"https://me:secret@www.example.com\"",
            "has more than a host",
        ),
        (
            "site: {via: cdn}",
            "expected one of balancer, dns, instance, found `cdn`",
        ),
        ("site: {adress: x}", "unknown key `adress`"),
        (
            "site: {headers: {Host: x}}",
            "the host is not given by `headers`",
        ),
        (
            "site: {headers: {\"A b\": x}}",
            "is not the name of a header",
        ),
        (
            "site: {headers: {X-A: \"ssm:origin\"}}",
            "has no value that can be sent",
        ),
        (
            "site: {headers: {X-A: \"a\\r\\nX-B: b\"}}",
            "has no value that can be sent",
        ),
        (
            "site: {resolve: \"https://x\"}",
            "expected a host or an IP address",
        ),
        ("site: {slower-than: 0s}", "a page has between 1s and 2m"),
        ("site: {slower-than: 5}", "expected a duration"),
        ("site: {insecure: maybe}", "expected true or false"),
        (
            "probes: [{url: \"https://x/\", https: true}]",
            "unknown key `https`",
        ),
    ] {
        let said = of(wrong).unwrap_err();
        assert!(said.contains(why), "{wrong}: {said}");
    }
}
