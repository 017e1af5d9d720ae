//! Nonsense in variables, flags and the AWS configuration file: one line that names it, and never a panic.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::world::{Output, World};

/// Holds an output to what is expected of every refusal of nonsense.
fn assert_one_line(what: &str, output: &Output, code: i32, names: &str) {
    assert_eq!(output.code, Some(code), "{what}: {output}");
    let text = &output.stderr;
    for raw in ["panicked", "Request {", "SdkBody", "interceptor", "Err("] {
        assert!(!text.contains(raw), "{what}: {output}");
    }
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{what}: {output}");
    assert!(text.starts_with("error: "), "{what}: {output}");
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(
        words.join(" ").contains(names),
        "{what}: `{names}` is not named: {output}"
    );
    assert_eq!(output.stdout, "", "{what}");
}

#[test]
fn an_endpoint_that_is_none_is_named_whatever_service_it_is_for() {
    let world = World::empty();
    let variables = [
        ("AWS_ENDPOINT_URL", "EC2"),
        ("AWS_ENDPOINT_URL_EC2", "EC2"),
        ("AWS_ENDPOINT_URL_ELASTIC_BEANSTALK", "Elastic Beanstalk"),
        ("AWS_ENDPOINT_URL_SSM", "SSM"),
        ("AWS_ENDPOINT_URL_STS", "STS"),
        ("AWS_ENDPOINT_URL_SSO", "SSO"),
        ("AWS_ENDPOINT_URL_SSO_OIDC", "SSO OIDC"),
    ];
    for (variable, service) in variables {
        for value in ["", "foo", "http://", "ftp://example.com", "http://a b"] {
            let output = world.goldseed(["runs"]).env(variable, value).run();
            let names = format!("the endpoint of {service} is `{value}`");
            assert_one_line(&format!("{variable}={value}"), &output, 2, &names);
        }
    }
    let folder = world.project().with_file_name("home").join(".aws");
    fs_err::create_dir_all(&folder).unwrap();
    for text in [
        "[default]\nendpoint_url = foo\n",
        "[default]\nservices = local\n[services local]\nsts =\n  endpoint_url = foo\n",
    ] {
        fs_err::write(folder.join("config"), text).unwrap();
        let output = world.goldseed(["runs"]).without("AWS_ENDPOINT_URL").run();
        assert_one_line(
            text,
            &output,
            2,
            "is `foo`, which is not an http or https address",
        );
    }
    assert_eq!(world.sandbox.requests().len(), 0);
}

#[test]
fn variables_that_cannot_be_used_are_named_and_nothing_is_sent() {
    let world = World::empty();
    let lines = "/dev/null/none";
    for (variable, value, code, names) in [
        (
            "AWS_ACCESS_KEY_ID",
            "AKIA TEST",
            2,
            "the access key id of the AWS credentials",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "AKIÄ",
            2,
            "the access key id of the AWS credentials",
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "hunter two",
            2,
            "the secret access key of the AWS",
        ),
        (
            "AWS_SESSION_TOKEN",
            "one\ntwo",
            2,
            "the session token of the AWS credentials",
        ),
        ("AWS_ACCESS_KEY_ID", "", 4, "no AWS credentials"),
        (
            "AWS_CA_BUNDLE",
            lines,
            2,
            "cannot read the certificates of AWS_CA_BUNDLE",
        ),
        (
            "AWS_CA_BUNDLE",
            "/etc/passwd",
            2,
            "/etc/passwd, named by AWS_CA_BUNDLE",
        ),
        (
            "AWS_REGION",
            "nowhere at all",
            4,
            "the region here is nowhere at all",
        ),
        ("GOLDSEED_PACE", "0,5", 2, "GOLDSEED_PACE is `0,5`"),
        ("GOLDSEED_PACE", "inf", 2, "GOLDSEED_PACE is `inf`"),
    ] {
        let output = world.goldseed(["runs"]).env(variable, value).run();
        assert_one_line(&format!("{variable}={value}"), &output, code, names);
        if variable.contains("SECRET") || variable.contains("TOKEN") {
            assert!(!output.stderr.contains(value.trim()), "{output}");
        }
    }
    let not_text = OsStr::from_bytes(b"\xff");
    for (variable, names) in [
        ("GOLDSEED_PACE", "GOLDSEED_PACE is"),
        ("AWS_REGION", "the region here is"),
    ] {
        let output = world.goldseed(["runs"]).env(variable, not_text).run();
        let code = output.code.unwrap();
        assert_one_line(variable, &output, code, names);
    }
    assert_eq!(world.sandbox.requests().len(), 0);
}

#[test]
fn root_certificates_that_are_not_there_are_missed_where_they_are_needed() {
    let world = World::new();
    for value in ["/nonexistent", "/etc/passwd"] {
        // The local AWS is asked without TLS.
        let output = world.goldseed(["runs"]).env("SSL_CERT_FILE", value).run();
        assert_eq!(output.code, Some(0), "{output}");
        let output = world
            .goldseed(["runs"])
            .env("SSL_CERT_FILE", value)
            .without("AWS_ENDPOINT_URL")
            .run();
        assert_one_line(value, &output, 2, "no root certificates");
    }
}

#[test]
fn a_region_that_is_none_is_named_wherever_it_comes_from() {
    let world = World::empty();
    world.edit("region: eu-central-1\n", "");
    for region in ["foo bar", "", "a/b", "EU-Central-1", "eu.central"] {
        let flag = world
            .goldseed(["runs", "--region", region])
            .without("AWS_REGION")
            .run();
        assert_one_line(region, &flag, 2, &format!("`{region}` is not a region"));
        if !region.is_empty() {
            let variable = world.goldseed(["runs"]).env("AWS_REGION", region).run();
            assert_one_line(region, &variable, 2, &format!("`{region}` is not a region"));
        }
    }
    assert_eq!(world.sandbox.requests().len(), 0);
}

#[test]
fn a_pace_so_small_that_no_time_fits_it_stops_nothing() {
    let world = World::new();
    let output = world
        .goldseed(["runs"])
        .env("GOLDSEED_PACE", "1e-300")
        .run();
    assert_eq!(output.code, Some(0), "{output}");
}

#[test]
fn flags_with_nonsense_end_with_one_line() {
    let world = World::empty();
    for (arguments, code, names) in [
        (["resume", "../../x"], 2, "`../../x` is not a run"),
        (["abandon", "ä"], 2, "`ä` is not a run"),
        (
            ["runs", "--profile="],
            4,
            "no AWS credentials by the profile ``",
        ),
        (
            ["init", "--pipeline=a: b"],
            2,
            "`a: b` cannot name a pipeline",
        ),
        (["init", "--pipeline="], 2, "`` cannot name a pipeline"),
        (
            ["init", "--environment=#"],
            2,
            "`#` cannot name an environment",
        ),
        (
            ["recipe", "show"],
            2,
            "required arguments were not provided",
        ),
        (["check", "../shop"], 3, "has no pipeline `../shop`"),
    ] {
        let output = world.run(arguments);
        assert_one_line(&arguments.join(" "), &output, code, names);
    }
}
