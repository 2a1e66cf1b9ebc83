//! Cloud Control: the properties of one resource.

use serde_json::{Value, json};

use super::signed::{SignedCall, SignedService};
use super::{AwsError, Clients};

impl Clients {
    /// Returns the properties of a resource, which the caller may read with
    /// `cloudformation:GetResource` and the permissions of the resource type's read handler.
    /// <https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_GetResource.html>
    ///
    /// # Errors
    /// There is no such resource, its type can't be read, or the call failed.
    pub async fn resource_properties(
        &self,
        resource_type: &str,
        identifier: &str,
    ) -> Result<Value, AwsError> {
        let call = SignedCall {
            service: SignedService::CloudControl,
            operation: "GetResource",
            body: json!({"TypeName": resource_type, "Identifier": identifier})
                .to_string()
                .into(),
            is_first_call: false,
        };
        let body = self.signed(&call).await?;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| self.garbled(&call))?;
        // The properties are JSON in a string.
        let properties = answer["ResourceDescription"]["Properties"].as_str();
        properties
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| self.garbled(&call))
    }
}
