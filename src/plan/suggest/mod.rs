//! Suggests values for the parameters of a template: pseudo-parameters that fit the name, the type
//! and the constraints of each.
//!
//! A candidate counts only if the template accepts samples of what it becomes. `names` has the
//! candidates by the parameter's name.

mod names;

use crate::plan::parameters;
use crate::template::{Template, TemplateParameter};

/// What is suggested for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// A value, usually with pseudo-parameters.
    Value(String),
    /// The template's default, so no value is needed.
    Default,
    /// Only the user knows a value, such as the ID of a VPC in the account.
    Unknown,
}

/// A value and samples of what it becomes.
struct Candidate {
    text: String,
    samples: Vec<String>,
}

impl Candidate {
    /// A value without pseudo-parameters.
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            samples: vec![text.clone()],
            text,
        }
    }

    fn pseudo(text: impl Into<String>, sample: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            samples: vec![sample.into()],
        }
    }

    fn password(length: usize, has_special: bool) -> Self {
        const SAMPLES: usize = 20;
        let class = if has_special { "S" } else { "" };
        let sample = |_| parameters::sample_password(length, has_special);
        Self {
            text: format!("$[taskcat_genpass_{length}{class}]"),
            samples: (0..SAMPLES).map(sample).collect(),
        }
    }
}

/// The UUID of samples.
const UUID: &str = "0b9e2a1c-5d34-4f6a-9c1e-7a2b3c4d5e6f";
/// Key pairs that TaskCat's users name so; `plan --check` asks whether they exist.
const KEY_PAIR: &str = "$[taskcat_getkeypair]";
/// The newest Amazon Linux, which AWS publishes in every region.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html>
const AMI_PARAMETER: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
/// The length of passwords without limits.
const PASSWORD: usize = 16;
/// Other lengths, if a pattern refuses that one.
const OTHER_PASSWORDS: [usize; 6] = [12, 20, 24, 32, 10, 8];

/// Suggests values for all parameters of a template, in its order. `zones` returns how many
/// Availability Zones a parameter's list must have at least.
pub fn suggest(
    template: &Template,
    region: &str,
    zones: &dyn Fn(&str) -> usize,
) -> Vec<(String, Suggestion)> {
    let mut single_zones = 0;
    let suggestions = template.parameters.iter().map(|parameter| {
        let context = SuggestionContext {
            template,
            parameter,
            region,
        };
        let zones = zones(&parameter.key).max(context.declared_zones());
        let suggestion = context.suggest(zones, &mut single_zones);
        (parameter.key.clone(), suggestion)
    });
    suggestions.collect()
}

struct SuggestionContext<'t> {
    template: &'t Template,
    parameter: &'t TemplateParameter,
    region: &'t str,
}

impl SuggestionContext<'_> {
    fn suggest(&self, zones: usize, single_zones: &mut usize) -> Suggestion {
        let has_default = self.parameter.default.is_some();
        let candidates = if has_default {
            names::instead_of_default(self)
        } else if self.is_single_zone() {
            *single_zones += 1;
            let sample = format!("{}a", self.region);
            vec![Candidate::pseudo(
                format!("$[taskcat_gensingleaz_{single_zones}]"),
                sample,
            )]
        } else {
            self.candidates(zones)
        };
        let accepted = candidates.into_iter().find(|it| self.accepts(it));
        match accepted {
            Some(candidate) => Suggestion::Value(candidate.text),
            None if has_default => Suggestion::Default,
            None => Suggestion::Unknown,
        }
    }

    fn accepts(&self, candidate: &Candidate) -> bool {
        let refusal = |it: &String| self.template.refusal(self.parameter, it, self.region);
        candidate.samples.iter().all(|it| refusal(it).is_none())
    }

    fn is_single_zone(&self) -> bool {
        let kind = self.parameter.kind.as_str();
        kind == "AWS::EC2::AvailabilityZone::Name" || kind == "String" && names::is_zone(self)
    }

    /// Returns the candidates for a parameter without default, the best first.
    fn candidates(&self, zones: usize) -> Vec<Candidate> {
        let kind = self.parameter.kind.as_str();
        match kind {
            "List<AWS::EC2::AvailabilityZone::Name>" => return vec![self.zones(zones)],
            "CommaDelimitedList" if names::is_zones(self) => return vec![self.zones(zones)],
            "AWS::EC2::KeyPair::KeyName" => return vec![Candidate::pseudo(KEY_PAIR, "cikey")],
            "AWS::EC2::Image::Id" => {
                let text = format!("$[taskcat_ssm_{AMI_PARAMETER}]");
                return vec![Candidate::pseudo(text, "ami-0123456789abcdef0")];
            }
            _ if kind.starts_with("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id") => {
                return vec![Candidate::plain(AMI_PARAMETER)];
            }
            // What else AWS's types name exists in one account.
            _ if kind.contains("AWS::") => return self.allowed(),
            _ => {}
        }
        let mut candidates = self.allowed();
        if self.parameter.no_echo || names::is_password(self) {
            candidates.extend(self.passwords());
        }
        candidates.extend(names::by_name(self));
        if kind.ends_with("Number>") || kind == "Number" {
            let numbers = [self.number("MinValue"), self.number("MaxValue")];
            candidates.push(Candidate::plain("1"));
            candidates.extend(numbers.into_iter().flatten().map(Candidate::plain));
        } else if !names::is_account_specific(self) {
            candidates.extend(self.texts());
        }
        candidates
    }

    fn allowed(&self) -> Vec<Candidate> {
        let allowed = self.parameter.allowed_values.iter();
        allowed
            .filter(|it| !it.is_empty())
            .map(Candidate::plain)
            .collect()
    }

    fn zones(&self, count: usize) -> Candidate {
        let count = count.max(2);
        let sample = (b'a'..).take(count).map(|letter| {
            let letter = char::from(letter);
            format!("{}{letter}", self.region)
        });
        let sample = sample.collect::<Vec<_>>().join(",");
        Candidate::pseudo(format!("$[taskcat_genaz_{count}]"), sample)
    }

    /// Returns the number of zones that another parameter of the template declares, such as
    /// `NumberOfAZs`.
    fn declared_zones(&self) -> usize {
        let parameters = self.template.parameters.iter();
        let number = parameters.filter(|it| names::is_number_of_zones(&it.key));
        let values = number.filter_map(|it| {
            let default = it.default_text();
            default.or_else(|| it.allowed_values.first().cloned())
        });
        let numbers = values.filter_map(|text| text.parse().ok());
        numbers.max().unwrap_or_default()
    }

    /// Returns passwords whose length is between `MinLength` and `MaxLength`, without special
    /// characters first: databases refuse some of those.
    fn passwords(&self) -> Vec<Candidate> {
        let least = self.length("MinLength").unwrap_or(1).max(1);
        let most = self.length("MaxLength").unwrap_or(usize::MAX).max(least);
        let mut lengths = vec![PASSWORD.clamp(least, most)];
        lengths.extend(
            OTHER_PASSWORDS
                .into_iter()
                .filter(|it| (least..=most).contains(it)),
        );
        let all = lengths.into_iter().flat_map(|length| {
            [false, true].map(|has_special| Candidate::password(length, has_special))
        });
        all.collect()
    }

    /// Returns texts for a parameter whose name says nothing, fitted to `MinLength` and
    /// `MaxLength`.
    fn texts(&self) -> Vec<Candidate> {
        const TEXTS: [&str; 9] = [
            "taskcat",
            "Taskcat",
            "Taskcat1",
            "taskcat-1",
            "TASKCAT",
            "/taskcat",
            "taskcat/",
            "10",
            "true",
        ];
        let least = self.length("MinLength").unwrap_or_default();
        let most = self.length("MaxLength").unwrap_or(usize::MAX);
        let texts = TEXTS.into_iter().map(|text| {
            let missing = least.saturating_sub(text.len());
            let long = format!("{text}{}", "x".repeat(missing.min(names::LONGEST)));
            Candidate::plain(long.chars().take(most).collect::<String>())
        });
        let random = Candidate::pseudo("$[taskcat_random-string]", "abcdefghijklmnopqrst");
        let digits = Candidate::pseudo("$[taskcat_random-numbers]", "12345678901234567890");
        let uuid = Candidate::pseudo("$[taskcat_genuuid]", UUID);
        texts.chain([random, digits, uuid]).collect()
    }

    fn number(&self, constraint: &str) -> Option<String> {
        let node = self.template.declaration(self.parameter)?.get(constraint)?;
        Some(node.text.to_string())
    }

    fn length(&self, constraint: &str) -> Option<usize> {
        self.number(constraint)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn suggested(parameters: &str) -> Vec<String> {
        let text = format!(
            "Parameters:\n{parameters}Resources:\n  Bucket: {{Type: AWS::S3::Bucket, Properties: \
             {{BucketName: !Ref LogBucket}}}}\n"
        );
        let file: Arc<Path> = Arc::from(Path::new("t.yml"));
        let (template, diagnostics) = Template::parse(&file, "t.yml".to_owned(), &text);
        let template = template.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let suggestions = suggest(&template, "us-east-1", &|_| 0);
        let shown = suggestions
            .into_iter()
            .map(|(key, suggestion)| match suggestion {
                Suggestion::Value(value) => format!("{key}: {value}"),
                Suggestion::Default => format!("{key} has a default"),
                Suggestion::Unknown => format!("{key} is unknown"),
            });
        shown.collect()
    }

    #[track_caller]
    fn check(parameter: &str, expect: &str) {
        assert_eq!(
            suggested(&format!("  {parameter}\n")),
            [expect],
            "{parameter}"
        );
    }

    #[test]
    fn types_decide_first() {
        check(
            "Zones: {Type: 'List<AWS::EC2::AvailabilityZone::Name>'}",
            "Zones: $[taskcat_genaz_2]",
        );
        check(
            "Key: {Type: 'AWS::EC2::KeyPair::KeyName'}",
            "Key: $[taskcat_getkeypair]",
        );
        check(
            "Image: {Type: 'AWS::EC2::Image::Id'}",
            "Image: $[taskcat_ssm_/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64]",
        );
        check(
            "Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>'}",
            "Image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        );
        check("Network: {Type: 'AWS::EC2::VPC::Id'}", "Network is unknown");
        check(
            "Nets: {Type: 'List<AWS::EC2::Subnet::Id>'}",
            "Nets is unknown",
        );
        check("Count: {Type: Number, MinValue: 3}", "Count: 3");
        check("Count: {Type: Number, MaxValue: 0}", "Count: 0");
    }

    #[test]
    fn zones_are_as_many_as_the_template_wants() {
        let parameters = "  NumberOfAZs: {Type: Number, Default: 3}\n  Zones: {Type: \
                          'List<AWS::EC2::AvailabilityZone::Name>'}\n  FirstAZ: {Type: \
                          'AWS::EC2::AvailabilityZone::Name'}\n  AvailabilityZone2: {Type: \
                          String}\n";
        assert_eq!(
            suggested(parameters),
            [
                "NumberOfAZs has a default",
                "Zones: $[taskcat_genaz_3]",
                "FirstAZ: $[taskcat_gensingleaz_1]",
                "AvailabilityZone2: $[taskcat_gensingleaz_2]",
            ]
        );
    }

    #[test]
    fn passwords_fit_length_and_pattern() {
        check(
            "Secret: {Type: String, NoEcho: true}",
            "Secret: $[taskcat_genpass_16]",
        );
        check(
            "DBPassword: {Type: String, NoEcho: true, MinLength: 20, MaxLength: 30}",
            "DBPassword: $[taskcat_genpass_20]",
        );
        check(
            "AdminPassword: {Type: String, MaxLength: 8}",
            "AdminPassword: $[taskcat_genpass_8]",
        );
        check(
            "Password: {Type: String, NoEcho: true, AllowedPattern: '.*[!#$&{*:,_%@+=-].*'}",
            "Password: $[taskcat_genpass_16S]",
        );
        check(
            "Pin: {Type: String, NoEcho: true, AllowedPattern: '[0-9]{20}'}",
            "Pin: $[taskcat_random-numbers]",
        );
        check(
            "Password: {Type: String, NoEcho: true, Default: x}",
            "Password has a default",
        );
    }

    #[test]
    fn names_decide_where_types_say_nothing() {
        check(
            "AssetBucket: {Type: String}",
            "AssetBucket: $[taskcat_autobucket]",
        );
        check(
            "QSS3BucketName: {Type: String, Default: aws-quickstart}",
            "QSS3BucketName: $[taskcat_autobucket]",
        );
        check(
            "QSS3KeyPrefix: {Type: String, Default: quickstart-x/, AllowedPattern: '.*/'}",
            "QSS3KeyPrefix: $[taskcat_project_name]/",
        );
        check(
            "QSS3KeyPrefix: {Type: String, Default: quickstart-x, AllowedPattern: '.*[^/]'}",
            "QSS3KeyPrefix: $[taskcat_project_name]",
        );
        check(
            "QSS3BucketRegion: {Type: String, Default: eu-west-1}",
            "QSS3BucketRegion: $[taskcat_current_region]",
        );
        check(
            "LogBucket: {Type: String}",
            "LogBucket: taskcat-$[taskcat_genuuid]",
        );
        check(
            "TargetRegion: {Type: String}",
            "TargetRegion: $[taskcat_current_region]",
        );
        check(
            "RequestUUID: {Type: String}",
            "RequestUUID: $[taskcat_genuuid]",
        );
        check(
            "AccountId: {Type: String}",
            "AccountId: $[taskcat_account_id]",
        );
        check("VPCCIDR: {Type: String}", "VPCCIDR: 10.0.0.0/16");
        check("Email: {Type: String}", "Email: noreply@example.com");
        check("DomainName: {Type: String}", "DomainName: example.com");
        check("WebPort: {Type: Number}", "WebPort: 443");
        check("VpcId: {Type: String}", "VpcId is unknown");
        check(
            "CertificateArn: {Type: String}",
            "CertificateArn is unknown",
        );
        check(
            "Mode: {Type: String, AllowedValues: [slow, fast]}",
            "Mode: slow",
        );
        check("Title: {Type: String}", "Title: taskcat");
        check("Title: {Type: String, MaxLength: 3}", "Title: tas");
        check(
            "Title: {Type: String, AllowedPattern: '[A-Z]+'}",
            "Title: TASKCAT",
        );
        check(
            "Title: {Type: String, AllowedPattern: 'x-y-z'}",
            "Title is unknown",
        );
    }
}
