//! How instances of an image behave in an environment, where a test wants them to misbehave.

use crate::sandbox::state::State;

/// How the instances of an image behave. Only for simulated machines, but for `FailsToImage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// They join and are well.
    #[default]
    Well,
    /// They never signal that they are deployed to.
    NeverJoins,
    /// Their deployment fails, and they signal that.
    FailsToDeploy,
    /// They join, and fail every health check.
    Unhealthy,
    /// They are well until their environment was looked at so often after they joined, and from then on they fail.
    WellFor {
        /// The number of looks.
        looks: u32,
    },
    /// They are well, and answer a part of the requests with 4xx, which enhanced health calls a warning.
    ClientErrors,
    /// An image of this name fails while it is made.
    FailsToImage,
    /// An image of this name stays half done. Only for simulated machines.
    StaysPending,
    /// Their agent never registers with Systems Manager.
    NeverRegisters,
    /// The group of an environment cannot launch them: EC2's error.
    CannotLaunch {
        /// The code.
        code: &'static str,
        /// The text.
        message: &'static str,
    },
    /// The group launches them, and EC2 ends them before they run: the reason that their state shows.
    DiesAtLaunch {
        /// The code.
        code: &'static str,
        /// The text.
        message: &'static str,
    },
    /// They join, pass their health checks, and answer visitors with this.
    Answers {
        /// The HTTP status.
        status: u16,
        /// The page.
        page: &'static str,
    },
    /// They join and fail every health check, and Beanstalk waits for them without a limit.
    StaysUpdating,
    /// Their deployment fails, and so does the way back that Beanstalk takes then: the environment stays Updating until
    /// they behave otherwise.
    StuckInRollback,
}

impl Behaviour {
    /// Tells whether an image fails while it is made.
    pub(crate) fn fails_to_image(self) -> bool {
        self == Self::FailsToImage
    }

    /// Tells whether an instance that joined so many looks ago passes its health checks.
    pub(crate) fn is_well(self, looks: u32) -> bool {
        match self {
            Self::Unhealthy | Self::StaysUpdating => false,
            Self::WellFor { looks: most } => looks <= most,
            _ => true,
        }
    }
}

impl State {
    /// How the instances of an image behave: the newest rule for its id or name.
    pub(crate) fn behaviour_of(&self, image_id: &str, name: &str) -> Behaviour {
        self.behaviours
            .iter()
            .rev()
            .find(|(part, _)| image_id.contains(part.as_str()) || name.contains(part.as_str()))
            .map(|(_, behaviour)| *behaviour)
            .unwrap_or_default()
    }

    /// How an instance behaves.
    pub(crate) fn behaviour_of_instance(&self, instance_id: &str) -> Behaviour {
        let Some(instance) = self.instances.get(instance_id) else {
            return Behaviour::Well;
        };
        let name = self
            .images
            .get(&instance.image_id)
            .map_or("", |image| image.name.as_str());
        self.behaviour_of(&instance.image_id, name)
    }
}
