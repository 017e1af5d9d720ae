//! The tags on everything the tool makes: they say whose it is, what it is for, and when it may go.

/// Tags, as AWS takes them: key and value.
pub type Tags = std::collections::BTreeMap<String, String>;

/// The pipeline's name.
pub const PIPELINE: &str = "goldseed:pipeline";
/// The run that made it.
pub const RUN: &str = "goldseed:run";
/// `raw`, `seed`, `clone`, `golden` or `proof`.
pub const ROLE: &str = "goldseed:role";
/// Which attempt of its step made it.
pub const ATTEMPT: &str = "goldseed:attempt";
/// When it may be swept, RFC 3339; golden images have none.
pub const EXPIRES: &str = "goldseed:expires";
/// Put on anything by hand: sweep leaves it alone, whatever the value.
pub const KEEP: &str = "goldseed:keep";
/// Of a golden image: `boot` once a machine of it was booted and checked.
pub const PROVED: &str = "goldseed:proved";
/// Of a golden image: why it must not be promoted again.
pub const QUARANTINED: &str = "goldseed:quarantined";
/// Of a golden image: images since a stock image, itself included.
pub const GENERATION: &str = "goldseed:generation";
/// Of a golden image: the instance it began with.
pub const SOURCE_INSTANCE: &str = "goldseed:source-instance";
/// Of a golden image: the raw image in between.
pub const RAW_IMAGE: &str = "goldseed:raw-image";
/// Of a golden image: the environment's base image when it was built.
pub const BASE_IMAGE: &str = "goldseed:base-image";
/// Of a golden image: the platform version it was built for.
pub const PLATFORM: &str = "goldseed:platform";
/// Of a golden image: the digest of its recipes and their values.
pub const RECIPES: &str = "goldseed:recipes";
/// Of a golden image whose recipes have steps `on: migrate`: `compatible` or `breaking`.
pub const MIGRATIONS: &str = "goldseed:migrations";
/// Of a golden image: the folder of the application that visitors see, `.` for all of it.
pub const DOCUMENT_ROOT: &str = "goldseed:document-root";
/// Of a golden image: the version of this tool.
pub const TOOL: &str = "goldseed:tool";
/// Of a golden image: the name of the environment it was built for.
pub const ENVIRONMENT: &str = "goldseed:environment";
/// Of a golden image: the id of that environment; images of version 0.1.0 and before may lack it.
pub const ENVIRONMENT_ID: &str = "goldseed:environment-id";

/// What Auto Scaling puts on the members of a group.
pub const GROUP: &str = "aws:autoscaling:groupName";
/// What Elastic Beanstalk puts on the instances of an environment.
pub const MEMBER_OF: &str = "elasticbeanstalk:environment-name";
