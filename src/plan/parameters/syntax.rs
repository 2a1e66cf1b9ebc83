//! Parses a parameter value into literal text and `$[taskcat_…]` pseudo-parameters.
//!
//! Accepts the same names as the regular expressions of TaskCat's `_template_params.py` (in any
//! letter case; some pseudo-parameters with any prefix, such as `$[alfred_genpass_8]`), but in more
//! positions: each may be inside a longer text, and its argument may contain others
//! (`$[taskcat_ssm_/$[taskcat_project_name]/key]`). `render` resolves the parts.

use thiserror::Error;

use super::cell::CellPseudo;
use super::keywords::{self, KeywordArgument, KeywordArgumentError};
use super::random::RandomPseudo;
use super::stored::StoredPseudo;
use crate::config::TestReference;

/// The maximum length of a value in bytes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
/// It also limits how deeply arguments nest.
const MAX_LENGTH: usize = 4_096;

/// The literal texts and pseudo-parameters of a value, in order.
pub(super) type ValuePieces = Vec<ValuePiece>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ValuePiece {
    Literal(String),
    Pseudo {
        kind: PseudoParameter,
        /// The pseudo-parameter as written, for messages.
        written: String,
    },
}

/// A pseudo-parameter with its arguments, by the source of its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PseudoParameter {
    Cell(CellPseudo),
    Random(RandomPseudo),
    Stored(StoredPseudo),
    /// `$[taskcat_getval_X]`: the resolved value of parameter X.
    GetVal {
        parameter: String,
    },
    Output(PseudoOutput),
}

/// `$[taskcat_output_TEST.Key]`: an output of the stack of another test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::plan) struct PseudoOutput {
    /// The test, and the region if it is another one.
    pub test: TestReference,
    /// The output's key.
    pub key: String,
}

/// A syntax error in a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum PseudoSyntaxError {
    #[error("unknown pseudo-parameter {written}")]
    Unknown {
        written: String,
        nearest: &'static str,
    },
    #[error("{written} is never closed by ]")]
    Unclosed { written: String },
    #[error("{written} {wanted}")]
    Argument {
        written: String,
        wanted: &'static str,
    },
    #[error("the value has {length} bytes, and CloudFormation takes {MAX_LENGTH}")]
    TooLong { length: usize },
}

impl PseudoSyntaxError {
    /// Returns what the user can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            PseudoSyntaxError::Unknown { nearest, .. } => Some(format!("did you mean {nearest}?")),
            PseudoSyntaxError::Unclosed { .. }
            | PseudoSyntaxError::Argument { .. }
            | PseudoSyntaxError::TooLong { .. } => None,
        }
    }
}

/// Parses a value; returns all errors at once.
pub(super) fn parse(value: &str) -> Result<ValuePieces, Vec<PseudoSyntaxError>> {
    if value.len() > MAX_LENGTH {
        return Err(vec![PseudoSyntaxError::TooLong {
            length: value.len(),
        }]);
    }
    let mut parser = PseudoParser {
        pieces: Vec::new(),
        errors: Vec::new(),
    };
    parser.value(value);
    if parser.errors.is_empty() {
        Ok(parser.pieces)
    } else {
        Err(parser.errors)
    }
}

struct PseudoParser {
    pieces: ValuePieces,
    errors: Vec<PseudoSyntaxError>,
}

impl PseudoParser {
    fn value(&mut self, value: &str) {
        let mut rest = value;
        while let Some(start) = rest.find("$[") {
            self.literal(&rest[..start]);
            let opened = &rest[start..];
            let Some((content, tail)) = bracketed(opened) else {
                if keywords::PrefixedName::of(&opened[2..])
                    .is_some_and(|prefixed| prefixed.is_taskcat)
                {
                    self.errors.push(PseudoSyntaxError::Unclosed {
                        written: opened.to_owned(),
                    });
                    return;
                }
                self.literal(opened);
                return;
            };
            let written = &opened[..opened.len() - tail.len()];
            rest = match self.pseudo(written, content, tail) {
                ReadPseudo::Pseudo => tail,
                ReadPseudo::WithTail => "",
                // Not a pseudo-parameter, but it may contain one.
                ReadPseudo::Foreign => {
                    self.literal("$[");
                    &opened[2..]
                }
            };
        }
        self.literal(rest);
    }

    fn literal(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(ValuePiece::Literal(last)) => last.push_str(text),
            _ => self.pieces.push(ValuePiece::Literal(text.to_owned())),
        }
    }

    /// Parses a pseudo-parameter; `written` is all of `$[content]`, `tail` is what follows it.
    fn pseudo(&mut self, written: &str, content: &str, tail: &str) -> ReadPseudo {
        let Some(prefixed) = keywords::PrefixedName::of(content) else {
            return ReadPseudo::Foreign;
        };
        let Some(keyword) = prefixed.keyword() else {
            if !prefixed.is_taskcat {
                return ReadPseudo::Foreign;
            }
            let nearest = keywords::nearest(prefixed.rest);
            self.errors.push(PseudoSyntaxError::Unknown {
                written: written.to_owned(),
                nearest,
            });
            return ReadPseudo::Pseudo;
        };
        let takes_tail = matches!(keyword.keyword.argument, KeywordArgument::Tail(_));
        let argument = if takes_tail { tail } else { keyword.argument };
        let kind = match &keyword.keyword.argument {
            KeywordArgument::None(kind) => Ok(kind.clone()),
            KeywordArgument::Name(read) | KeywordArgument::Tail(read) => read(argument),
        };
        let written = if takes_tail {
            format!("{written}{tail}")
        } else {
            written.to_owned()
        };
        match kind {
            Ok(kind) => self.pieces.push(ValuePiece::Pseudo { kind, written }),
            Err(KeywordArgumentError::Wanted(wanted)) => self
                .errors
                .push(PseudoSyntaxError::Argument { written, wanted }),
            Err(KeywordArgumentError::Inner(errors)) => self.errors.extend(errors),
        }
        if takes_tail {
            ReadPseudo::WithTail
        } else {
            ReadPseudo::Pseudo
        }
    }
}

enum ReadPseudo {
    /// A pseudo-parameter that ends at its bracket.
    Pseudo,
    /// A pseudo-parameter that also consumes the rest of the value.
    WithTail,
    /// Not a pseudo-parameter.
    Foreign,
}

/// Splits at the `]` that matches the opening `$[`.
fn bracketed(opened: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, character) in opened.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return Some((&opened[2..at], &opened[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parameters::password::{CharacterClass, PasswordSpec};

    fn literal(text: &str) -> ValuePiece {
        ValuePiece::Literal(text.to_owned())
    }

    fn pseudo(kind: PseudoParameter, written: &str) -> ValuePiece {
        ValuePiece::Pseudo {
            kind,
            written: written.to_owned(),
        }
    }

    #[test]
    fn every_pseudo_parameter_alone() {
        let check = |written: &str, kind: PseudoParameter| {
            assert_eq!(parse(written), Ok(vec![pseudo(kind, written)]), "{written}")
        };
        let zones = |count| PseudoParameter::Stored(StoredPseudo::AvailabilityZones { count });
        check("$[taskcat_genaz_2]", zones(2));
        check("$[taskcat_getaz_12]", zones(12));
        check("$[taskcat_genaz_0]", zones(1));
        check("$[TASKCAT_GenAZ_3]", zones(3));
        check("$[alfred_getaz_3]", zones(3));
        check("$[my_own_genaz_3]", zones(3));
        check("$[taskcat_my_genaz_3]", zones(3));
        check(
            "$[taskcat_gensingleaz_2]",
            PseudoParameter::Stored(StoredPseudo::SingleAvailabilityZone { ordinal: 2 }),
        );
        check(
            "$[taskcat_getsingleaz_1]",
            PseudoParameter::Stored(StoredPseudo::SingleAvailabilityZone { ordinal: 1 }),
        );

        let password = |length, class| {
            PseudoParameter::Random(RandomPseudo::Password(PasswordSpec { length, class }))
        };
        check(
            "$[taskcat_genpass_8]",
            password(8, CharacterClass::Alphanumeric),
        );
        check(
            "$[taskcat_genpass_16A]",
            password(16, CharacterClass::Alphanumeric),
        );
        check(
            "$[taskcat_genpass_16s]",
            password(16, CharacterClass::Special),
        );
        check(
            "$[taskcat_genpass_16x]",
            password(16, CharacterClass::Alphanumeric),
        );
        check(
            "$[alfred_genpass_128S]",
            password(128, CharacterClass::Special),
        );

        check(
            "$[taskcat_random-string]",
            PseudoParameter::Random(RandomPseudo::String),
        );
        check(
            "$[taskcat_random-numbers]",
            PseudoParameter::Random(RandomPseudo::Numbers),
        );
        check(
            "$[taskcat_genuuid]",
            PseudoParameter::Random(RandomPseudo::Uuid),
        );
        check(
            "$[alfred_genguid]",
            PseudoParameter::Random(RandomPseudo::Uuid),
        );

        check(
            "$[taskcat_autobucket]",
            PseudoParameter::Cell(CellPseudo::Autobucket),
        );
        check(
            "$[taskcat_autobucket_prefix]",
            PseudoParameter::Cell(CellPseudo::AutobucketPrefix),
        );
        check(
            "$[alfred_getkeypair]",
            PseudoParameter::Cell(CellPseudo::Fixed("cikey")),
        );
        check(
            "$[taskcat_getlicensebucket]",
            PseudoParameter::Cell(CellPseudo::Fixed("override_this")),
        );
        check(
            "$[taskcat_getmediabucket]",
            PseudoParameter::Cell(CellPseudo::Fixed("override_this")),
        );
        check(
            "$[taskcat_current_region]",
            PseudoParameter::Cell(CellPseudo::CurrentRegion),
        );
        check(
            "$[taskcat_project_name]",
            PseudoParameter::Cell(CellPseudo::ProjectName),
        );
        check(
            "$[taskcat_test_name]",
            PseudoParameter::Cell(CellPseudo::TestName),
        );
        check(
            "$[taskcat_git_branch]",
            PseudoParameter::Cell(CellPseudo::GitBranch),
        );
        check(
            "$[taskcat_account_id]",
            PseudoParameter::Cell(CellPseudo::AccountId),
        );
        check(
            "$[taskcat_partition]",
            PseudoParameter::Cell(CellPseudo::Partition),
        );

        let ssm = |name: &str| {
            PseudoParameter::Stored(StoredPseudo::SsmParameter {
                name: vec![literal(name)],
            })
        };
        check("$[taskcat_ssm_/a_b/c-D.e:3]", ssm("/a_b/c-D.e:3"));
        let secret = |id: &str| {
            PseudoParameter::Stored(StoredPseudo::Secret {
                id: vec![literal(id)],
            })
        };
        check("$[taskcat_secretsmanager_my_secret]", secret("my_secret"));
        let arn = "arn:aws:secretsmanager:us-east-1:1:secret:My_Secret-AbCdEf";
        check(&format!("$[taskcat_secretsmanager_{arn}]"), secret(arn));
        check(
            "$[taskcat_getval_VPCID]",
            PseudoParameter::GetVal {
                parameter: "VPCID".to_owned(),
            },
        );
        check(
            "$[alfred_getval_vpc_id]",
            PseudoParameter::GetVal {
                parameter: "vpc_id".to_owned(),
            },
        );

        let content = |bucket: &str, key: &str| {
            PseudoParameter::Stored(StoredPseudo::LicenseContent {
                bucket: vec![literal(bucket)],
                key: vec![literal(key)],
            })
        };
        check(
            "$[taskcat_getlicensecontent]/bucket/path/to/key",
            content("bucket", "path/to/key"),
        );
        check(
            "$[alfred_getlicensecontent],/bucket/key",
            content("bucket", "key"),
        );
        let url = |bucket: &str, key: &str, expires_seconds| {
            let bucket = vec![literal(bucket)];
            let key = vec![literal(key)];
            PseudoParameter::Stored(StoredPseudo::PresignedUrl {
                bucket,
                key,
                expires_seconds,
            })
        };
        check(
            "$[taskcat_presignedurl],bucket,path/key",
            url("bucket", "path/key", 3600),
        );
        check(
            "$[taskcat_getpresignedurl],bucket, key ,60",
            url("bucket", "key", 60),
        );
    }

    #[test]
    fn inside_longer_texts() {
        let region = || {
            pseudo(
                PseudoParameter::Cell(CellPseudo::CurrentRegion),
                "$[taskcat_current_region]",
            )
        };
        let check =
            |value: &str, expect: Vec<ValuePiece>| assert_eq!(parse(value), Ok(expect), "{value}");
        check("", vec![]);
        check("plain", vec![literal("plain")]);
        check(
            "a-$[taskcat_current_region]-b",
            vec![literal("a-"), region(), literal("-b")],
        );
        check(
            "$[taskcat_current_region]$[taskcat_current_region]",
            vec![region(), region()],
        );
        check(
            "[$[taskcat_current_region]]",
            vec![literal("["), region(), literal("]")],
        );
        check(
            "é$[taskcat_current_region]é",
            vec![literal("é"), region(), literal("é")],
        );
        let account = pseudo(
            PseudoParameter::Cell(CellPseudo::AccountId),
            "$[taskcat_account_id]",
        );
        let name = vec![literal("/"), account, literal("/x")];
        let ssm = pseudo(
            PseudoParameter::Stored(StoredPseudo::SsmParameter { name }),
            "$[taskcat_ssm_/$[taskcat_account_id]/x]",
        );
        check(
            "a $[taskcat_ssm_/$[taskcat_account_id]/x] b",
            vec![literal("a "), ssm, literal(" b")],
        );
        let bucket = vec![pseudo(
            PseudoParameter::Cell(CellPseudo::Autobucket),
            "$[taskcat_autobucket]",
        )];
        let stored = StoredPseudo::PresignedUrl {
            bucket,
            key: vec![literal("k")],
            expires_seconds: 3600,
        };
        let written = "$[taskcat_presignedurl],$[taskcat_autobucket],k";
        check(
            &format!("url={written}"),
            vec![
                literal("url="),
                pseudo(PseudoParameter::Stored(stored), written),
            ],
        );
    }

    /// TaskCat leaves these unchanged.
    #[test]
    fn foreign_brackets_are_unchanged() {
        let check = |value: &str| assert_eq!(parse(value), Ok(vec![literal(value)]), "{value}");
        check("$[");
        check("$[]");
        check("$[x]");
        check("$[_]");
        check("$[alfred_sings]");
        check("$[alfred_current_region]");
        check("$[alfred_ssm_/x]");
        check("$[open");
        check("${AWS::Region}");
        check("{{resolve:ssm:x}}");
        check("[taskcat_genaz_2]");
        let region = pseudo(
            PseudoParameter::Cell(CellPseudo::CurrentRegion),
            "$[taskcat_current_region]",
        );
        assert_eq!(
            parse("$[x $[taskcat_current_region]]"),
            Ok(vec![literal("$[x "), region, literal("]")])
        );
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let check = |value: &str, message: &str, help: Option<&str>| {
            let errors = parse(value).unwrap_err();
            let found: Vec<_> = errors
                .iter()
                .map(|error| (error.to_string(), error.help()))
                .collect();
            assert_eq!(
                found,
                [(message.to_owned(), help.map(str::to_owned))],
                "{value}"
            );
        };
        let unknown = |value: &str, nearest: &str| {
            let help = format!("did you mean {nearest}?");
            check(
                value,
                &format!("unknown pseudo-parameter {value}"),
                Some(&help),
            );
        };
        unknown("$[taskcat_genas_2]", "$[taskcat_genaz_2]");
        unknown("$[taskcat_genaz]", "$[taskcat_genaz_2]");
        unknown("$[taskcat_genpas_16S]", "$[taskcat_genpass_16]");
        unknown("$[taskcat_region]", "$[taskcat_current_region]");
        unknown("$[taskcat_autobuckets]", "$[taskcat_autobucket]");
        unknown("$[taskcat_accountid]", "$[taskcat_account_id]");
        unknown(
            "$[TaskCat_secretmanager_x]",
            "$[taskcat_secretsmanager_name]",
        );
        unknown("$[taskcat_random_string]", "$[taskcat_random-string]");
        check(
            "x $[taskcat_genaz_2",
            "$[taskcat_genaz_2 is never closed by ]",
            None,
        );
        let argument = |value: &str, wanted: &str| check(value, &format!("{value} {wanted}"), None);
        argument(
            "$[taskcat_genaz_x]",
            "requires a number of availability zones, as in $[taskcat_genaz_2]",
        );
        argument(
            "$[taskcat_genaz_]",
            "requires a number of availability zones, as in $[taskcat_genaz_2]",
        );
        argument(
            "$[taskcat_gensingleaz_0]",
            "requires the number of an availability zone, counted from 1, as in \
             $[taskcat_gensingleaz_1]",
        );
        let length = "requires a length from 1 to 4096, as in $[taskcat_genpass_16], and may have \
            A \
            or S after it";
        argument("$[taskcat_genpass_0]", length);
        argument("$[taskcat_genpass_S]", length);
        argument("$[taskcat_genpass_4097]", length);
        argument("$[taskcat_genpass_99999999999999999999]", length);
        argument(
            "$[taskcat_getval_a-b]",
            "requires the name of a parameter, as in $[taskcat_getval_ParameterName]",
        );
        argument(
            "$[taskcat_ssm_]",
            "requires the name of an SSM parameter, as in $[taskcat_ssm_/name]",
        );
        argument(
            "$[taskcat_secretsmanager_]",
            "requires the name or ARN of a secret, as in $[taskcat_secretsmanager_name]",
        );
        let path =
            "requires a bucket and a key after it, as in $[taskcat_getlicensecontent]/bucket/key";
        argument("$[taskcat_getlicensecontent]", path);
        argument("$[taskcat_getlicensecontent]/bucket", path);
        argument("$[taskcat_getlicensecontent]/bucket/", path);
        let signed = "requires a bucket, a key and optionally seconds up to 604800 after it, \
                      as in $[taskcat_presignedurl],bucket,key,3600";
        argument("$[taskcat_presignedurl]", signed);
        argument("$[taskcat_presignedurl],bucket", signed);
        argument("$[taskcat_presignedurl],bucket,key,soon", signed);
        argument("$[taskcat_presignedurl],bucket,key,604801", signed);
        argument("$[taskcat_presignedurl],bucket,key,1,2", signed);
    }

    #[test]
    fn long_and_deep_values() {
        assert!(parse(&"x".repeat(4_096)).is_ok());
        let errors = parse(&"x".repeat(4_097)).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "the value has 4097 bytes, and CloudFormation takes 4096"
        );
        let deep = format!("{}x{}", "$[taskcat_ssm_".repeat(270), "]".repeat(270));
        assert!(parse(&deep).is_ok());
        assert!(parse(&"$[taskcat_ssm_".repeat(290)).is_err());
    }

    #[test]
    fn all_errors_at_once() {
        let errors =
            parse("$[taskcat_a] $[taskcat_genaz_x] $[taskcat_ssm_$[taskcat_b]] $[taskcat_c")
                .unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
    }
}
