//! Launch templates: which images they name.

use super::super::{Cloud, CloudError, present};
use crate::id::ImageId;

impl Cloud {
    /// Returns the images that the newest and the default version of every launch template name, each with the
    /// template's id. Asked without a template, EC2 lists no other versions (EC2 API reference,
    /// `DescribeLaunchTemplateVersions`).
    pub async fn launch_template_images(&self) -> Result<Vec<(String, ImageId)>, CloudError> {
        const OPERATION: &str = "DescribeLaunchTemplateVersions";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ec2
                .describe_launch_template_versions()
                .versions("$Latest")
                .versions("$Default")
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, "all launch templates", &error))?;
            for version in answer.launch_template_versions() {
                let id = version.launch_template_id();
                let id = present(id, OPERATION, "a launch template", "LaunchTemplateId")?;
                let image = version
                    .launch_template_data()
                    .and_then(|data| data.image_id());
                if let Some(image) = image {
                    found.push((id.to_owned(), ImageId::new(image)));
                }
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}
