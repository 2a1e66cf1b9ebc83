//! Service Quotas and Route 53: the values of quotas, and hosted zones.

use std::collections::BTreeSet;

use serde_json::json;

use super::signed::{SignedCall, SignedService, texts};
use super::{AwsError, Clients};

impl Clients {
    /// Returns the value of a quota; `None` if the service doesn't tell.
    /// <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html>
    pub async fn service_quota(
        &self,
        service: &str,
        quota: &str,
    ) -> Result<Option<usize>, AwsError> {
        let call = SignedCall {
            service: SignedService::ServiceQuotas,
            operation: "GetServiceQuota",
            body: json!({"ServiceCode": service, "QuotaCode": quota})
                .to_string()
                .into(),
            is_first_call: false,
        };
        let body = match self.signed(&call).await {
            Ok(body) => body,
            Err(error) if error.has_code("NoSuchResourceException") => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer: serde_json::Value =
            serde_json::from_slice(&body).map_err(|_| self.garbled(&call))?;
        let value = answer["Quota"]["Value"].as_f64();
        // Quotas are whole numbers, however they are written.
        Ok(value.map(|value| value as usize))
    }

    /// Returns the IDs of the account's hosted zones, at most the first hundred.
    /// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html>
    pub async fn hosted_zones(&self) -> Result<(BTreeSet<String>, bool), AwsError> {
        let call = SignedCall {
            service: SignedService::Route53,
            operation: "ListHostedZones",
            body: "".into(),
            is_first_call: false,
        };
        let body = self.signed(&call).await?;
        let texts = texts(&body, &["Id", "IsTruncated"]).ok_or_else(|| self.garbled(&call))?;
        let is_truncated = texts
            .iter()
            .any(|(name, text)| *name == "IsTruncated" && text == "true");
        let ids = texts.into_iter().filter(|(name, _)| *name == "Id");
        let ids = ids.map(|(_, id)| id.trim_start_matches("/hostedzone/").to_owned());
        Ok((ids.collect(), is_truncated))
    }
}
