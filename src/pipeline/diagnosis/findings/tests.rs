use super::*;
use crate::cloud::{Checks, Egress};
use crate::id::{SecurityGroupId, SubnetId};

fn route(destination: &str, target: &str) -> Route {
    Route {
        destination: destination.to_owned(),
        target: target.to_owned(),
        active: true,
    }
}

fn endpoint(service: &str) -> Endpoint {
    Endpoint {
        service: name("eu-central-1", service),
        state: "available".to_owned(),
        private_names: true,
    }
}

/// A machine on which nothing is wrong that can be seen.
fn well() -> Facts {
    Facts {
        region: "eu-central-1".to_owned(),
        state: Ok(InstanceState::Running),
        checks: Ok(Some(Checks {
            system: "ok".to_owned(),
            instance: "ok".to_owned(),
        })),
        placement: Ok(Placement {
            profile: Some("arn:aws:iam::123456789012:instance-profile/seed".to_owned()),
            vpc: Some("vpc-1".to_owned()),
            subnet: Some(SubnetId::new("subnet-1")),
            public: false,
            groups: vec![SecurityGroupId::new("sg-1")],
        }),
        routes: Ok(vec![
            route("10.0.0.0/16", "local"),
            route("0.0.0.0/0", "nat-1"),
        ]),
        endpoints: Ok(Vec::new()),
        egress: Ok(vec![Egress {
            group: SecurityGroupId::new("sg-1"),
            https: true,
        }]),
        console: Ok(vec!["ip-10-0-0-1 login:".to_owned()]),
    }
}

/// The findings of a machine that is well but for one thing.
fn with(change: impl FnOnce(&mut Facts)) -> Vec<String> {
    let mut facts = well();
    change(&mut facts);
    let list = found("not registered yet", &facts);
    assert!(list.iter().all(|finding| !finding.way_out.is_empty()));
    list.into_iter().map(|finding| finding.what).collect()
}

fn only(mut list: Vec<String>) -> String {
    let text = list.pop().unwrap();
    assert!(list.is_empty(), "{list:?} and {text}");
    text
}

#[test]
fn each_cause_is_found_and_named() {
    let gone = only(with(|facts| facts.state = Ok(InstanceState::Stopped)));
    assert_eq!(gone, "the machine is stopped");

    let profile = only(with(|facts| {
        facts.placement.as_mut().unwrap().profile = None;
    }));
    assert!(profile.starts_with("no instance profile"), "{profile}");

    let group = only(with(|facts| {
        facts.egress.as_mut().unwrap()[0].https = false;
    }));
    assert!(group.ends_with("lets HTTPS out: sg-1"), "{group}");

    for (system, instance, said) in [("impaired", "ok", "host"), ("ok", "impaired", "machine")] {
        let checks = only(with(|facts| {
            facts.checks = Ok(Some(Checks {
                system: system.to_owned(),
                instance: instance.to_owned(),
            }));
        }));
        assert!(
            checks.starts_with(&format!("EC2's check of the {said}")),
            "{checks}"
        );
    }

    let console = only(with(|facts| {
        facts.console = Ok(vec![
            "[  3.1] Kernel panic - not syncing".into(),
            "end".into(),
        ]);
    }));
    assert!(
        console.ends_with("panicked: [  3.1] Kernel panic - not syncing"),
        "{console}"
    );
}

#[test]
fn a_way_out_is_a_route_or_endpoints() {
    let no_route = |facts: &mut Facts| facts.routes = Ok(vec![route("10.0.0.0/16", "local")]);
    let lost = only(with(no_route));
    assert!(lost.contains("subnet-1 has no route"), "{lost}");
    assert!(
        lost.contains("lacks the endpoints com.amazonaws.eu-central-1.ssm, "),
        "{lost}"
    );

    let half = only(with(|facts| {
        no_route(facts);
        facts.endpoints = Ok(vec![endpoint("ssm")]);
    }));
    assert!(
        half.ends_with("lacks the endpoints com.amazonaws.eu-central-1.ssmmessages"),
        "{half}"
    );

    let both = only(with(|facts| {
        no_route(facts);
        facts.endpoints = Ok(vec![endpoint("ssm"), endpoint("ssmmessages")]);
    }));
    assert!(both.starts_with("all that can be seen"), "{both}");

    let unseen = only(with(|facts| {
        no_route(facts);
        facts.endpoints = Err("no permission ec2:DescribeVpcEndpoints".to_owned());
    }));
    assert!(
        unseen.ends_with("has endpoints instead is not known"),
        "{unseen}"
    );

    let black = only(with(|facts| {
        facts.routes.as_mut().unwrap()[1].active = false;
    }));
    assert!(black.ends_with("leads nowhere: nat-1 is gone"), "{black}");

    let gateway = |public| {
        with(|facts| {
            facts.routes = Ok(vec![route("0.0.0.0/0", "igw-1")]);
            facts.placement.as_mut().unwrap().public = public;
        })
    };
    assert!(only(gateway(false)).ends_with("no public address"));
    assert!(only(gateway(true)).starts_with("all that can be seen"));

    // An endpoint takes the traffic even where there is a route.
    let names = only(with(|facts| {
        let mut dumb = endpoint("ssm");
        dumb.private_names = false;
        facts.endpoints = Ok(vec![dumb]);
    }));
    assert!(names.contains("no private DNS name"), "{names}");
}

#[test]
fn several_causes_come_with_the_likeliest_first() {
    let list = with(|facts| {
        facts.placement.as_mut().unwrap().profile = None;
        facts.routes = Ok(Vec::new());
        facts.checks = Ok(Some(Checks {
            system: "ok".to_owned(),
            instance: "impaired".to_owned(),
        }));
    });
    let firsts: Vec<&str> = list
        .iter()
        .map(|text| text.split(' ').next().unwrap())
        .collect();
    assert_eq!(firsts, ["EC2's", "no", "subnet-1"]);
}

#[test]
fn what_may_not_be_looked_at_is_told_and_hides_nothing() {
    let denied = |operation: &str| format!("no permission ec2:{operation}");
    let mut facts = well();
    facts.checks = Err(denied("DescribeInstanceStatus"));
    facts.routes = Err(denied("DescribeRouteTables"));
    facts.endpoints = Err(denied("DescribeVpcEndpoints"));
    facts.egress = Err(denied("DescribeSecurityGroups"));
    facts.console = Err(denied("GetConsoleOutput"));
    facts.placement.as_mut().unwrap().profile = None;
    assert_eq!(found("not registered yet", &facts).len(), 1);
    assert_eq!(
        facts.unseen(),
        [
            "its status checks could not be looked at: no permission ec2:DescribeInstanceStatus",
            "the routes of its subnet could not be looked at: no permission ec2:DescribeRouteTables",
            "the endpoints of its VPC could not be looked at: no permission ec2:DescribeVpcEndpoints",
            "its security groups could not be looked at: no permission ec2:DescribeSecurityGroups",
            "its console could not be looked at: no permission ec2:GetConsoleOutput",
        ]
    );
}

#[test]
fn an_agent_that_was_there_before_is_not_blamed_on_the_network() {
    let list = found("registered, ConnectionLost", &well());
    assert_eq!(
        list[0].what,
        "its agent has registered and does not answer any more"
    );
}
