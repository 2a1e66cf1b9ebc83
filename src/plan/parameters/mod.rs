//! Resolves parameter values with TaskCat's pseudo-parameters, from the text in the file to the
//! value for CreateStack.
//!
//! [`TestParameters`] holds a test's parsed and checked values. For each of the test's regions it
//! determines what to look up in AWS ([`TestParameters::lookups`]) and, with the answers, resolves
//! the values ([`TestParameters::render`]). `plan::values` determines which values a test has;
//! `aws` does the lookups. Follows TaskCat's `_template_params.py`; each family of
//! pseudo-parameters has its own file.

mod cell;
mod getval;
mod keywords;
mod password;
mod random;
mod render;
mod stored;
mod syntax;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::diagnostic::{Diagnostic, Location};
use crate::event::PredictedFailure;
use crate::plan::{Lookup, OutputReference};
use crate::template::Assumption;

use cell::CellPseudo;
use password::{CharacterClass, PasswordSpec};
use syntax::{PseudoParameter, ValuePiece, ValuePieces};

pub use render::{MissingAnswer, RenderedValue};
pub(super) use syntax::PseudoOutput;

/// Returns what `$[taskcat_genpass_N]`, or `…NS]` with special characters, may become.
pub(super) fn sample_password(length: usize, has_special: bool) -> String {
    let class = if has_special {
        CharacterClass::Special
    } else {
        CharacterClass::Alphanumeric
    };
    password::generate(PasswordSpec { length, class }, &mut rand::rng())
}

/// The parameters of a test, the same in all its regions until resolved. Each `getval` refers to a
/// parameter, without circles.
#[derive(Clone, Debug, Default)]
pub struct TestParameters {
    parameters: Vec<ParsedParameter>,
}

/// A parameter as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSourceText {
    /// The parameter's name.
    pub key: String,
    /// A single string, or the items of a list, which are sent joined with commas.
    pub values: Vec<String>,
    /// Whether the template says `NoEcho`.
    pub no_echo: bool,
    /// Where the value is set; absent for one from the environment or the command line.
    pub location: Option<Location>,
}

/// The context of a test in a region. What only a run knows is absent offline and makes the values
/// that need it unknown.
#[derive(Clone, Copy, Debug)]
pub struct CellContext<'a> {
    /// The project's name.
    pub project_name: &'a str,
    /// The test's name.
    pub test_name: &'a str,
    /// The region.
    pub region: &'a str,
    /// The profile.
    pub profile: &'a str,
    /// The partition: `aws`, `aws-cn`.
    pub partition: &'a str,
    /// The account's ID; known only in a run.
    pub account_id: Option<&'a str>,
    /// The name of the bucket; known only in a run.
    pub bucket: Option<&'a str>,
    /// The project's git branch, if [`TestParameters::needs_git_branch`].
    pub git_branch: Option<&'a str>,
    /// IDs of Availability Zones (`use1-az3`) to exclude.
    pub az_blacklist: &'a [String],
    /// The outputs of other tests.
    pub outputs: OutputValues<'a>,
}

/// What is known about the outputs of other tests.
#[derive(Clone, Copy, Debug)]
pub enum OutputValues<'a> {
    /// They are known once the other stacks are complete; until then, references to them stay.
    Later,
    /// What is predicted of them; others are unknown.
    Known(&'a BTreeMap<OutputReference, RenderedValue>),
}

/// A reference to an output in a parameter.
pub(super) struct OutputUse<'a> {
    pub parameter: &'a str,
    pub output: &'a PseudoOutput,
    pub written: &'a str,
    pub location: Option<&'a Location>,
    /// Whether the parameter's value must not be shown.
    pub is_secret: bool,
}

#[derive(Clone, Debug)]
struct ParsedParameter {
    key: String,
    items: Vec<ValuePieces>,
    no_echo: bool,
    location: Option<Location>,
}

impl TestParameters {
    /// Parses the values; returns all errors at once.
    pub fn parse(
        sources: impl IntoIterator<Item = ParameterSourceText>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let parameters = Self {
            parameters: sources
                .into_iter()
                .map(|source| parsed(source, &mut diagnostics))
                .collect(),
        };
        let mut circles = getval::problems(&parameters);
        if circles.is_empty() {
            diagnostics.extend(stored::problems(&parameters));
        }
        diagnostics.append(&mut circles);
        if diagnostics.is_empty() {
            Ok(parameters)
        } else {
            Err(diagnostics)
        }
    }

    /// Returns the first parameter that uses the project's git branch, with its location.
    pub fn needs_git_branch(&self) -> Option<(&str, Option<&Location>)> {
        let asks = |parameter: &&ParsedParameter| {
            parameter
                .pseudos()
                .any(|(kind, _)| *kind == PseudoParameter::Cell(CellPseudo::GitBranch))
        };
        self.parameters
            .iter()
            .find(asks)
            .map(|parameter| (parameter.key.as_str(), parameter.location.as_ref()))
    }

    /// Returns everything to look up in AWS for this context, each lookup once, in order.
    pub fn lookups(&self, scope: &CellContext) -> Vec<Lookup> {
        let pseudos = self.parameters.iter().flat_map(ParsedParameter::pseudos);
        let lookups = pseudos.filter_map(|(kind, _)| match kind {
            PseudoParameter::Stored(stored) => stored.lookup(self, scope).ok(),
            PseudoParameter::Cell(_)
            | PseudoParameter::Random(_)
            | PseudoParameter::Output(_)
            | PseudoParameter::GetVal { .. } => None,
        });
        BTreeSet::from_iter(lookups).into_iter().collect()
    }

    /// Returns the references to outputs of other tests, in the order of the parameters.
    pub(super) fn outputs(&self) -> impl Iterator<Item = OutputUse<'_>> {
        self.parameters.iter().flat_map(|parameter| {
            let pseudos = parameter.pseudos();
            let of_parameter = pseudos.filter_map(|(kind, written)| match kind {
                PseudoParameter::Output(output) => Some(OutputUse {
                    parameter: &parameter.key,
                    output,
                    written,
                    location: parameter.location.as_ref(),
                    is_secret: parameter.no_echo,
                }),
                _ => None,
            });
            of_parameter.collect::<Vec<_>>()
        })
    }

    /// Returns what must hold for the lookups to have answers, each with the parameter that needs
    /// it.
    pub fn assumptions(&self, scope: &CellContext) -> Vec<(&str, Assumption)> {
        let of_parameter = |parameter| {
            let pseudos = ParsedParameter::pseudos(parameter);
            let assumptions = pseudos.filter_map(|(kind, _)| match kind {
                PseudoParameter::Stored(stored) => {
                    let lookup = stored.lookup(self, scope).ok()?;
                    Some(stored.assumption(&lookup, scope))
                }
                PseudoParameter::Cell(_)
                | PseudoParameter::Random(_)
                | PseudoParameter::Output(_)
                | PseudoParameter::GetVal { .. } => None,
            });
            assumptions.map(|assumption| (parameter.key.as_str(), assumption))
        };
        self.parameters.iter().flat_map(of_parameter).collect()
    }

    /// Returns where each parameter is set, for failures whose reason names it. Files are relative
    /// to the project root.
    pub fn places(&self, project_root: &Path) -> Vec<PredictedFailure> {
        let place = |parameter: &ParsedParameter| {
            let location = parameter.location.as_ref()?;
            let file = location
                .file
                .strip_prefix(project_root)
                .unwrap_or(&location.file);
            Some(PredictedFailure {
                message: format!("parameter {}: ", parameter.key),
                file: file.to_string_lossy().into_owned(),
                line: location.at.line,
                hint: None,
            })
        };
        self.parameters.iter().filter_map(place).collect()
    }

    fn get(&self, key: &str) -> Option<&ParsedParameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.key == key)
    }
}

fn parsed(source: ParameterSourceText, diagnostics: &mut Vec<Diagnostic>) -> ParsedParameter {
    let ParameterSourceText {
        key,
        values,
        no_echo,
        location,
    } = source;
    let mut read = |text: &String| {
        syntax::parse(text).unwrap_or_else(|errors| {
            diagnostics.extend(errors.iter().map(|error| {
                let message = format!("parameter {key}: {error}");
                Diagnostic {
                    location: location.clone(),
                    help: error.help(),
                    ..Diagnostic::error(message)
                }
            }));
            ValuePieces::new()
        })
    };
    let items = values.iter().map(&mut read).collect();
    ParsedParameter {
        key,
        items,
        no_echo,
        location,
    }
}

impl ParsedParameter {
    /// Returns every pseudo-parameter of the value as written, including those inside arguments.
    fn pseudos(&self) -> impl Iterator<Item = (&PseudoParameter, &str)> {
        self.items.iter().flat_map(|pieces| pseudos(pieces))
    }

    fn problem(&self, message: impl std::fmt::Display) -> Diagnostic {
        let message = format!("parameter {}: {message}", self.key);
        Diagnostic {
            location: self.location.clone(),
            ..Diagnostic::error(message)
        }
    }
}

/// Those inside arguments follow the one that they belong to.
fn pseudos(pieces: &[ValuePiece]) -> Vec<(&PseudoParameter, &str)> {
    let mut found = Vec::new();
    for piece in pieces {
        if let ValuePiece::Pseudo { kind, written } = piece {
            found.push((kind, written.as_str()));
            if let PseudoParameter::Stored(stored) = kind {
                found.extend(
                    stored
                        .arguments()
                        .into_iter()
                        .flat_map(|argument| pseudos(argument)),
                );
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::diagnostic::Position;
    use crate::plan::{AvailabilityZone, LookupAnswer, LookupAnswers, LookupKind};
    use crate::template::Unknown;
    use crate::template::UnknownForm;

    const SCOPE: CellContext = CellContext {
        project_name: "quickstart-vpc",
        test_name: "small",
        region: "us-west-1",
        profile: "dev",
        partition: "aws",
        account_id: Some("123456789012"),
        bucket: Some("tcat-quickstart-vpc-2x4z6b8d"),
        git_branch: Some("main"),
        az_blacklist: &[],
        outputs: OutputValues::Later,
    };

    fn source(line: u32, key: &str, values: &[&str]) -> ParameterSourceText {
        let location = Location {
            file: Path::new(".taskcat.yml").into(),
            at: Position { line, column: 7 },
        };
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        ParameterSourceText {
            key: key.to_owned(),
            values,
            no_echo: false,
            location: Some(location),
        }
    }

    /// Parses values in this order, with the names `A`, `B`, … on lines 1, 2, …
    fn parse(values: &[&[&str]]) -> Result<TestParameters, Vec<Diagnostic>> {
        let key = |index: usize| char::from(b'A' + index as u8).to_string();
        TestParameters::parse(
            values
                .iter()
                .enumerate()
                .map(|(index, items)| source(index as u32 + 1, &key(index), items)),
        )
    }

    fn lookup(question: LookupKind) -> Lookup {
        Lookup {
            profile: "dev".to_owned(),
            region: "us-west-1".to_owned(),
            question,
        }
    }

    fn zones(count: usize) -> LookupAnswer {
        let zone = |n: usize| AvailabilityZone {
            name: format!("us-west-1{}", char::from(b'a' + n as u8)),
            id: format!("usw1-az{}", n + 1),
        };
        LookupAnswer::AvailabilityZones((0..count).map(zone).collect())
    }

    /// AWS's answers, with one SSM parameter missing.
    fn answers() -> LookupAnswers {
        let ssm = |name: &str| {
            lookup(LookupKind::SsmParameter {
                name: name.to_owned(),
            })
        };
        let object = LookupKind::Object {
            bucket: "licences".to_owned(),
            key: "a/b.lic".to_owned(),
        };
        let bucket = "tcat-quickstart-vpc-2x4z6b8d".to_owned();
        let url = LookupKind::PresignedUrl {
            bucket,
            key: "k".to_owned(),
            expires_seconds: 3600,
        };
        let text = |text: &str| Ok(LookupAnswer::Text(text.to_owned()));
        LookupAnswers::from([
            (lookup(LookupKind::AvailabilityZones), Ok(zones(3))),
            (ssm("/plain"), text("value")),
            (ssm("/small/path"), text("of the test")),
            (ssm("/secure"), Ok(LookupAnswer::Secret("hush".to_owned()))),
            (ssm("/gone"), Err("ParameterNotFound: /gone".to_owned())),
            (
                lookup(LookupKind::Secret {
                    id: "db".to_owned(),
                }),
                text("pa55"),
            ),
            (lookup(object), text("licence text")),
            (lookup(url), text("https://signed")),
        ])
    }

    fn render(
        values: &[&[&str]],
        scope: &CellContext,
        answers: &LookupAnswers,
        missing: MissingAnswer,
    ) -> Vec<RenderedValue> {
        let parameters = parse(values).unwrap();
        let rendered = parameters.render(scope, answers, missing, &mut StdRng::seed_from_u64(7));
        rendered.into_iter().map(|(_, rendered)| rendered).collect()
    }

    fn shown(text: &str) -> RenderedValue {
        RenderedValue::Value {
            text: text.to_owned(),
            secret: false,
        }
    }

    fn hidden(text: &str) -> RenderedValue {
        RenderedValue::Value {
            text: text.to_owned(),
            secret: true,
        }
    }

    #[test]
    fn rendering() {
        let check = |value: &str, expect: RenderedValue| {
            assert_eq!(
                render(&[&[value]], &SCOPE, &answers(), MissingAnswer::Error),
                [expect],
                "{value}"
            );
        };
        check("plain", shown("plain"));
        check("$[taskcat_current_region]", shown("us-west-1"));
        check(
            "a-$[taskcat_project_name]-$[taskcat_test_name]-b",
            shown("a-quickstart-vpc-small-b"),
        );
        check(
            "arn:$[taskcat_partition]:iam::$[taskcat_account_id]:root",
            shown("arn:aws:iam::123456789012:root"),
        );
        check(
            "$[taskcat_autobucket]/$[taskcat_autobucket_prefix]",
            shown("tcat-quickstart-vpc-2x4z6b8d/tcat-quickstart"),
        );
        check("$[taskcat_git_branch]", shown("main"));
        check(
            "$[taskcat_getkeypair] $[taskcat_getlicensebucket] $[taskcat_getmediabucket]",
            shown("cikey override_this override_this"),
        );
        check("$[taskcat_genaz_2]", shown("us-west-1a,us-west-1b"));
        check("x=$[taskcat_genaz_1];", shown("x=us-west-1a;"));
        check("$[taskcat_gensingleaz_3]", shown("us-west-1c"));
        check(
            "$[taskcat_genaz_4]",
            RenderedValue::Error(
                "$[taskcat_genaz_4]: only 3 availability zones in us-west-1, 4 wanted".to_owned(),
            ),
        );
        check(
            "$[taskcat_gensingleaz_4]",
            RenderedValue::Error(
                "$[taskcat_gensingleaz_4]: only 3 availability zones in us-west-1, 4 wanted"
                    .to_owned(),
            ),
        );
        check("$[taskcat_ssm_/plain]", shown("value"));
        check(
            "<$[taskcat_ssm_/$[taskcat_test_name]/path]>",
            shown("<of the test>"),
        );
        check("$[taskcat_ssm_/secure]", hidden("hush"));
        check(
            "x$[taskcat_ssm_/gone]",
            RenderedValue::Error(
                "$[taskcat_ssm_/gone]: SSM parameter /gone in us-west-1: ParameterNotFound: /gone"
                    .to_owned(),
            ),
        );
        check("$[taskcat_secretsmanager_db]", hidden("pa55"));
        check(
            "$[taskcat_getlicensecontent]/licences/a/b.lic",
            hidden("licence text"),
        );
        check(
            "$[taskcat_presignedurl],$[taskcat_autobucket],k",
            hidden("https://signed"),
        );
        check(
            "$[taskcat_ssm_/other]",
            RenderedValue::Error(
                "needs an answer from AWS: SSM parameter /other in us-west-1".to_owned(),
            ),
        );
    }

    #[test]
    fn lists_are_joined() {
        let check = |values: &[&str], expect: RenderedValue| {
            assert_eq!(
                render(&[values], &SCOPE, &answers(), MissingAnswer::Error),
                [expect],
                "{values:?}"
            );
        };
        check(&[], shown(""));
        check(&["a", "b"], shown("a,b"));
        check(
            &["$[taskcat_genaz_2]", "x-$[taskcat_current_region]"],
            shown("us-west-1a,us-west-1b,x-us-west-1"),
        );
        check(&["a", "$[taskcat_secretsmanager_db]"], hidden("a,pa55"));
        check(
            &["a", "$[taskcat_genaz_9]"],
            RenderedValue::Error(
                "$[taskcat_genaz_9]: only 3 availability zones in us-west-1, 9 wanted".to_owned(),
            ),
        );
    }

    #[test]
    fn blacklisted_zones_are_left_out() {
        let check = |blacklist: &[&str], value: &str, expect: RenderedValue| {
            let az_blacklist: Vec<String> = blacklist.iter().map(|id| (*id).to_owned()).collect();
            let scope = CellContext {
                az_blacklist: &az_blacklist,
                ..SCOPE
            };
            assert_eq!(
                render(&[&[value]], &scope, &answers(), MissingAnswer::Error),
                [expect],
                "{blacklist:?} {value}"
            );
        };
        check(
            &["usw1-az1"],
            "$[taskcat_genaz_2]",
            shown("us-west-1b,us-west-1c"),
        );
        check(
            &["usw1-az2"],
            "$[taskcat_gensingleaz_2]",
            shown("us-west-1c"),
        );
        check(
            &["use1-az2"],
            "$[taskcat_genaz_2]",
            shown("us-west-1a,us-west-1b"),
        );
        let too_few = |text: &str| RenderedValue::Error(text.to_owned());
        let message = "$[taskcat_genaz_3]: only 2 availability zones in us-west-1 after \
            az_blacklist, 3 wanted";
        check(&["usw1-az3"], "$[taskcat_genaz_3]", too_few(message));
        let message = "$[taskcat_genaz_2]: only 1 availability zone in us-west-1 after \
            az_blacklist, 2 wanted";
        check(
            &["usw1-az3", "usw1-az1"],
            "$[taskcat_genaz_2]",
            too_few(message),
        );
    }

    #[test]
    fn random_values_are_generated_once_per_value() {
        let text = |rendered: &RenderedValue| match rendered {
            RenderedValue::Value { text, .. } => text.clone(),
            other => panic!("{other:?}"),
        };
        let values: [&[&str]; 3] = [
            &["$[taskcat_random-string]:$[taskcat_random-string]"],
            &["$[taskcat_random-string]"],
            &["$[taskcat_genpass_12S]"],
        ];
        let rendered = render(&values, &SCOPE, &LookupAnswers::new(), MissingAnswer::Error);
        let first = text(&rendered[0]);
        let (left, right) = first.split_once(':').unwrap();
        assert_eq!((left.len(), left), (20, right));
        assert_ne!(left, text(&rendered[1]));
        assert_eq!(rendered[2], hidden(&text(&rendered[2])));
        assert_eq!(format!("{:?}", rendered[2]), "Value(****)");
    }

    #[test]
    fn getval_follows_in_any_order() {
        let check = |values: &[&[&str]], expect: &[RenderedValue]| {
            assert_eq!(
                render(values, &SCOPE, &answers(), MissingAnswer::Error),
                expect,
                "{values:?}"
            );
        };
        check(
            &[&["$[taskcat_getval_B]"], &["x"]],
            &[shown("x"), shown("x")],
        );
        check(
            &[&["x"], &["<$[taskcat_getval_A]>"]],
            &[shown("x"), shown("<x>")],
        );
        check(
            &[&["$[taskcat_getval_C]"], &["b"], &["$[taskcat_getval_B]c"]],
            &[shown("bc"), shown("b"), shown("bc")],
        );
        check(
            &[&["$[taskcat_getval_B]"], &["x", "y"]],
            &[shown("x,y"), shown("x,y")],
        );
        check(
            &[&["$[taskcat_getval_B]", "z"], &["x"]],
            &[shown("x,z"), shown("x")],
        );
        check(
            &[&["a$[taskcat_getval_B]"], &["$[taskcat_ssm_/secure]"]],
            &[hidden("ahush"), hidden("hush")],
        );
        check(
            &[&["$[taskcat_ssm_$[taskcat_getval_B]]"], &["/plain"]],
            &[shown("value"), shown("/plain")],
        );
        let passwords = render(
            &[&["$[taskcat_getval_B]"], &["$[taskcat_genpass_8]"]],
            &SCOPE,
            &answers(),
            MissingAnswer::Error,
        );
        assert_eq!(passwords[0], passwords[1]);
    }

    #[test]
    fn no_echo_is_secret_and_hands_it_on() {
        let password = ParameterSourceText {
            no_echo: true,
            ..source(1, "Password", &["given"])
        };
        let parameters = TestParameters::parse([
            password,
            source(2, "Again", &["$[taskcat_getval_Password]"]),
        ])
        .unwrap();
        let rendered = parameters.render(
            &SCOPE,
            &answers(),
            MissingAnswer::Error,
            &mut StdRng::seed_from_u64(7),
        );
        assert_eq!(
            rendered,
            [
                ("Password".to_owned(), hidden("given")),
                ("Again".to_owned(), hidden("given"))
            ]
        );
    }

    #[test]
    fn offline_values_are_unknown_with_a_reason() {
        let scope = CellContext {
            account_id: None,
            bucket: None,
            ..SCOPE
        };
        let check = |value: &str, expect: RenderedValue| {
            let mut rendered = render(
                &[&[value]],
                &scope,
                &LookupAnswers::new(),
                MissingAnswer::Unknown,
            );
            if let [RenderedValue::Unknown(unknown)] = rendered.as_mut_slice() {
                *unknown = unknown.clone().with_form(UnknownForm::Any);
            }
            assert_eq!(rendered, [expect], "{value}");
        };
        let unknown = |what: &str| RenderedValue::Unknown(Unknown::asked(what));
        check("$[taskcat_current_region]", shown("us-west-1"));
        check("$[taskcat_account_id]", unknown("AWS::AccountId"));
        check("x/$[taskcat_autobucket]", unknown("name of the bucket"));
        check(
            "$[taskcat_genaz_2]",
            unknown("availability zones of us-west-1"),
        );
        check("$[taskcat_ssm_/a]", unknown("SSM parameter /a"));
        check("$[taskcat_secretsmanager_a]", unknown("secret a"));
        check(
            "$[taskcat_getlicensecontent]/b/k",
            unknown("object s3://b/k"),
        );
        check(
            "$[taskcat_presignedurl],b,k",
            unknown("presigned URL of s3://b/k"),
        );
        check(
            "$[taskcat_presignedurl],$[taskcat_autobucket],k",
            unknown("name of the bucket"),
        );
        let both = Unknown::asked("AWS::AccountId").and(Unknown::asked("SSM parameter /a"));
        check(
            "$[taskcat_ssm_/a] of $[taskcat_account_id]",
            RenderedValue::Unknown(both),
        );
    }

    #[test]
    fn each_question_is_asked_once() {
        let check = |values: &[&[&str]], expect: &[LookupKind]| {
            let expect: Vec<Lookup> = expect.iter().cloned().map(lookup).collect();
            assert_eq!(parse(values).unwrap().lookups(&SCOPE), expect, "{values:?}");
        };
        let ssm = |name: &str| LookupKind::SsmParameter {
            name: name.to_owned(),
        };
        check(
            &[
                &["x"],
                &["$[taskcat_genpass_8]", "$[taskcat_random-string]"],
            ],
            &[],
        );
        check(
            &[
                &["$[taskcat_genaz_2]"],
                &["$[taskcat_gensingleaz_1]", "$[taskcat_getaz_3]"],
            ],
            &[LookupKind::AvailabilityZones],
        );
        check(
            &[
                &["$[taskcat_ssm_/b] $[taskcat_ssm_/$[taskcat_test_name]]"],
                &["$[taskcat_getval_A]"],
            ],
            &[ssm("/b"), ssm("/small")],
        );
        check(
            &[&["$[taskcat_secretsmanager_x]"]],
            &[LookupKind::Secret { id: "x".to_owned() }],
        );
        let object = LookupKind::Object {
            bucket: "b".to_owned(),
            key: "k/l".to_owned(),
        };
        check(&[&["$[taskcat_getlicensecontent]/b/k/l"]], &[object]);
        let url = LookupKind::PresignedUrl {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            expires_seconds: 60,
        };
        check(&[&["$[taskcat_presignedurl],b,k,60"]], &[url]);
    }

    #[test]
    fn problems_name_parameter_and_place() {
        let check = |values: &[&[&str]], expect: &[&str]| {
            let found: Vec<String> = parse(values)
                .unwrap_err()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, expect, "{values:?}");
        };
        check(
            &[&["$[taskcat_genas_2]"], &["x", "$[taskcat_genpass_0]"]],
            &[
                ".taskcat.yml:1:7: parameter A: unknown pseudo-parameter $[taskcat_genas_2] \
                 (did you mean $[taskcat_genaz_2]?)",
                ".taskcat.yml:2:7: parameter B: $[taskcat_genpass_0] requires a length from 1 to \
                 4096, as in \
                 $[taskcat_genpass_16], and may have A or S after it",
            ],
        );
        check(
            &[&["$[taskcat_getval_a]"], &["x"]],
            &[
                ".taskcat.yml:1:7: parameter A: $[taskcat_getval_a] names parameter a, which the \
                 test doesn't have \
               (did you mean `A`?)",
            ],
        );
        check(
            &[
                &["$[taskcat_getval_B]"],
                &["$[taskcat_getval_C]"],
                &["$[taskcat_getval_B]"],
                &["$[taskcat_getval_D]"],
            ],
            &[
                ".taskcat.yml:2:7: parameter B: circular getval: B -> C -> B",
                ".taskcat.yml:4:7: parameter D: circular getval: D -> D",
            ],
        );
        check(
            &[
                &["$[taskcat_ssm_$[taskcat_random-string]]"],
                &["$[taskcat_ssm_/x$[taskcat_getval_A]]"],
            ],
            &[
                ".taskcat.yml:1:7: parameter A: $[taskcat_random-string] cannot be part of what \
                 $[taskcat_ssm_$[taskcat_random-string]] asks for \
                 (only values that are neither secret nor random nor asked of AWS can be)",
                ".taskcat.yml:2:7: parameter B: $[taskcat_getval_A] cannot be part of what \
                 $[taskcat_ssm_/x$[taskcat_getval_A]] asks for \
                 (only values that are neither secret nor random nor asked of AWS can be)",
            ],
        );
    }

    #[test]
    fn the_git_branch_is_asked_for_where_it_is_needed() {
        let check = |values: &[&[&str]], expect: Option<&str>| {
            let parameters = parse(values).unwrap();
            assert_eq!(
                parameters.needs_git_branch().map(|(key, _)| key),
                expect,
                "{values:?}"
            );
        };
        check(&[&["x"], &["$[taskcat_test_name]"]], None);
        check(&[&["x"], &["a", "b$[taskcat_git_branch]"]], Some("B"));
        check(&[&["$[taskcat_ssm_/$[taskcat_git_branch]/x]"]], Some("A"));
    }
}
