//! The names of the pseudo-parameters and the parsers of their arguments. Only used by `syntax`.

use super::cell::CellPseudo;
use super::password::{CharacterClass, PasswordSpec};
use super::random::RandomPseudo;
use super::stored::StoredPseudo;
use super::syntax::{PseudoOutput, PseudoParameter, PseudoSyntaxError, ValuePieces, parse};
use crate::config::TestReference;

pub(super) struct PseudoKeyword {
    /// The name in lower case; ends with `_` if an argument is part of the name.
    name: &'static str,
    /// Whether TaskCat accepts any prefix, not only `taskcat_`.
    any_prefix: bool,
    pub argument: KeywordArgument,
    /// An example for hints.
    example: &'static str,
}

pub(super) enum KeywordArgument {
    None(PseudoParameter),
    /// The argument is the rest of the name: `2` in `genaz_2`.
    Name(fn(&str) -> Result<PseudoParameter, KeywordArgumentError>),
    /// The argument is the rest of the value after the bracket.
    Tail(fn(&str) -> Result<PseudoParameter, KeywordArgumentError>),
}

pub(super) enum KeywordArgumentError {
    /// The end of a sentence that begins with the pseudo-parameter.
    Wanted(&'static str),
    /// Errors in pseudo-parameters inside the argument.
    Inner(Vec<PseudoSyntaxError>),
}

/// A name without its prefix: `genaz_2` for `taskcat_genaz_2`.
pub(super) struct PrefixedName<'a> {
    content: &'a str,
    /// The part after the first `_`.
    pub rest: &'a str,
    pub is_taskcat: bool,
}

impl<'a> PrefixedName<'a> {
    pub(super) fn of(content: &'a str) -> Option<Self> {
        let (prefix, rest) = content.split_once('_')?;
        let is_word = !prefix.is_empty() && prefix.chars().all(char::is_alphanumeric);
        is_word.then(|| PrefixedName {
            content,
            rest,
            is_taskcat: prefix.eq_ignore_ascii_case("taskcat"),
        })
    }

    /// Returns the keyword with this name. A prefix other than `taskcat` may contain underscores,
    /// since TaskCat's patterns begin with `\w+_`.
    pub(super) fn keyword(&self) -> Option<FoundKeyword<'a>> {
        if self.is_taskcat
            && let Some(found) = KEYWORDS
                .iter()
                .find_map(|keyword| keyword.matched(self.rest))
        {
            return Some(found);
        }
        let prefixes = self
            .content
            .match_indices('_')
            .map(|(at, _)| self.content.split_at(at));
        let prefixes = prefixes
            .take_while(|(prefix, _)| prefix.chars().all(|c| c.is_alphanumeric() || c == '_'));
        let free = || KEYWORDS.iter().filter(|keyword| keyword.any_prefix);
        prefixes
            .into_iter()
            .find_map(|(_, name)| free().find_map(|keyword| keyword.matched(&name[1..])))
    }
}

pub(super) struct FoundKeyword<'a> {
    pub keyword: &'static PseudoKeyword,
    /// The part after a keyword that ends in `_`.
    pub argument: &'a str,
}

impl PseudoKeyword {
    fn matched<'a>(&'static self, name: &'a str) -> Option<FoundKeyword<'a>> {
        let head = name.get(..self.name.len())?;
        let argument = &name[self.name.len()..];
        let takes_argument = matches!(self.argument, KeywordArgument::Name(_));
        let matches =
            head.eq_ignore_ascii_case(self.name) && (takes_argument || argument.is_empty());
        matches.then_some(FoundKeyword {
            keyword: self,
            argument,
        })
    }
}

const fn keyword(
    name: &'static str,
    any_prefix: bool,
    argument: KeywordArgument,
    example: &'static str,
) -> PseudoKeyword {
    PseudoKeyword {
        name,
        any_prefix,
        argument,
        example,
    }
}

/// All pseudo-parameters.
static KEYWORDS: [PseudoKeyword; 27] = [
    keyword(
        "genaz_",
        true,
        KeywordArgument::Name(zones),
        "$[taskcat_genaz_2]",
    ),
    keyword(
        "getaz_",
        true,
        KeywordArgument::Name(zones),
        "$[taskcat_getaz_2]",
    ),
    keyword(
        "gensingleaz_",
        true,
        KeywordArgument::Name(single_zone),
        "$[taskcat_gensingleaz_1]",
    ),
    keyword(
        "getsingleaz_",
        true,
        KeywordArgument::Name(single_zone),
        "$[taskcat_getsingleaz_1]",
    ),
    keyword(
        "genpass_",
        true,
        KeywordArgument::Name(password),
        "$[taskcat_genpass_16]",
    ),
    keyword(
        "random-string",
        false,
        KeywordArgument::None(PseudoParameter::Random(RandomPseudo::String)),
        "$[taskcat_random-string]",
    ),
    keyword(
        "random-numbers",
        false,
        KeywordArgument::None(PseudoParameter::Random(RandomPseudo::Numbers)),
        "$[taskcat_random-numbers]",
    ),
    keyword(
        "genuuid",
        true,
        KeywordArgument::None(PseudoParameter::Random(RandomPseudo::Uuid)),
        "$[taskcat_genuuid]",
    ),
    keyword(
        "genguid",
        true,
        KeywordArgument::None(PseudoParameter::Random(RandomPseudo::Uuid)),
        "$[taskcat_genguid]",
    ),
    keyword(
        "autobucket",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::Autobucket)),
        "$[taskcat_autobucket]",
    ),
    keyword(
        "autobucket_prefix",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::AutobucketPrefix)),
        "$[taskcat_autobucket_prefix]",
    ),
    keyword(
        "getkeypair",
        true,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::Fixed("cikey"))),
        "$[taskcat_getkeypair]",
    ),
    keyword(
        "getlicensebucket",
        true,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::Fixed("override_this"))),
        "$[taskcat_getlicensebucket]",
    ),
    keyword(
        "getmediabucket",
        true,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::Fixed("override_this"))),
        "$[taskcat_getmediabucket]",
    ),
    keyword(
        "getlicensecontent",
        true,
        KeywordArgument::Tail(license_content),
        "$[taskcat_getlicensecontent]/bucket/key",
    ),
    keyword(
        "presignedurl",
        true,
        KeywordArgument::Tail(presigned_url),
        "$[taskcat_presignedurl],bucket,key",
    ),
    keyword(
        "getpresignedurl",
        true,
        KeywordArgument::Tail(presigned_url),
        "$[taskcat_getpresignedurl],bucket,key",
    ),
    keyword(
        "getval_",
        true,
        KeywordArgument::Name(getval),
        "$[taskcat_getval_ParameterName]",
    ),
    keyword(
        "output_",
        false,
        KeywordArgument::Name(output),
        "$[taskcat_output_TestName.OutputKey]",
    ),
    keyword(
        "ssm_",
        false,
        KeywordArgument::Name(ssm_parameter),
        "$[taskcat_ssm_/name]",
    ),
    keyword(
        "secretsmanager_",
        false,
        KeywordArgument::Name(secret),
        "$[taskcat_secretsmanager_name]",
    ),
    keyword(
        "current_region",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::CurrentRegion)),
        "$[taskcat_current_region]",
    ),
    keyword(
        "project_name",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::ProjectName)),
        "$[taskcat_project_name]",
    ),
    keyword(
        "test_name",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::TestName)),
        "$[taskcat_test_name]",
    ),
    keyword(
        "git_branch",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::GitBranch)),
        "$[taskcat_git_branch]",
    ),
    keyword(
        "account_id",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::AccountId)),
        "$[taskcat_account_id]",
    ),
    keyword(
        "partition",
        false,
        KeywordArgument::None(PseudoParameter::Cell(CellPseudo::Partition)),
        "$[taskcat_partition]",
    ),
];

fn zones(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted = KeywordArgumentError::Wanted(
        "requires a number of availability zones, as in $[taskcat_genaz_2]",
    );
    let count: usize = number(argument)
        .filter(|count| *count <= 99)
        .ok_or(wanted)?;
    Ok(PseudoParameter::Stored(StoredPseudo::AvailabilityZones {
        count: count.max(1),
    }))
}

fn single_zone(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted = "requires the number of an availability zone, counted from 1, as in \
        $[taskcat_gensingleaz_1]";
    let ordinal = number(argument)
        .filter(|ordinal| (1..=99).contains(ordinal))
        .ok_or(KeywordArgumentError::Wanted(wanted))?;
    Ok(PseudoParameter::Stored(
        StoredPseudo::SingleAvailabilityZone { ordinal },
    ))
}

/// Parses a password's argument. A letter other than `S` after the length selects the default, as
/// in TaskCat.
fn password(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted = "requires a length from 1 to 4096, as in $[taskcat_genpass_16], and may have A \
        or S after it";
    let (digits, class) = match argument.chars().next_back() {
        Some(letter) if letter.is_alphabetic() => {
            let class = if letter.eq_ignore_ascii_case(&'S') {
                CharacterClass::Special
            } else {
                CharacterClass::Alphanumeric
            };
            (argument.strip_suffix(letter).unwrap_or(argument), class)
        }
        _ => (argument, CharacterClass::Alphanumeric),
    };
    // A parameter's value has at most 4,096 bytes.
    let length = number(digits)
        .filter(|length| (1..=4096).contains(length))
        .ok_or(KeywordArgumentError::Wanted(wanted))?;
    Ok(PseudoParameter::Random(RandomPseudo::Password(
        PasswordSpec { length, class },
    )))
}

fn getval(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let is_name = !argument.is_empty() && argument.chars().all(|c| c.is_alphanumeric() || c == '_');
    let wanted = KeywordArgumentError::Wanted(
        "requires the name of a parameter, as in $[taskcat_getval_ParameterName]",
    );
    if is_name {
        Ok(PseudoParameter::GetVal {
            parameter: argument.to_owned(),
        })
    } else {
        Err(wanted)
    }
}

fn output(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted = KeywordArgumentError::Wanted(
        "requires the name of a test and the key of an output, as in \
         $[taskcat_output_network.VpcId] or $[taskcat_output_network@eu-west-1.VpcId]",
    );
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
    match argument.rsplit_once('.') {
        Some((test, key)) if !test.is_empty() && is_key(key) => {
            Ok(PseudoParameter::Output(PseudoOutput {
                test: TestReference::parse(test),
                key: key.to_owned(),
            }))
        }
        _ => Err(wanted),
    }
}

fn ssm_parameter(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let name = pieces(
        argument,
        "requires the name of an SSM parameter, as in $[taskcat_ssm_/name]",
    )?;
    Ok(PseudoParameter::Stored(StoredPseudo::SsmParameter { name }))
}

fn secret(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let id = pieces(
        argument,
        "requires the name or ARN of a secret, as in $[taskcat_secretsmanager_name]",
    )?;
    Ok(PseudoParameter::Stored(StoredPseudo::Secret { id }))
}

/// Parses a bucket and key. What precedes the first slash is ignored, as in TaskCat.
fn license_content(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted =
        "requires a bucket and a key after it, as in $[taskcat_getlicensecontent]/bucket/key";
    let path = argument
        .split_once('/')
        .and_then(|(_, path)| path.split_once('/'));
    let (bucket, key) = path.ok_or(KeywordArgumentError::Wanted(wanted))?;
    Ok(PseudoParameter::Stored(StoredPseudo::LicenseContent {
        bucket: pieces(bucket, wanted)?,
        key: pieces(key, wanted)?,
    }))
}

fn presigned_url(argument: &str) -> Result<PseudoParameter, KeywordArgumentError> {
    let wanted = "requires a bucket, a key and optionally seconds up to 604800 after it, \
                  as in $[taskcat_presignedurl],bucket,key,3600";
    let arguments: Vec<&str> = argument.split(',').map(str::trim).collect();
    let (bucket, key, seconds) = match arguments.as_slice() {
        ["", bucket, key] => (bucket, key, "3600"),
        ["", bucket, key, seconds] => (bucket, key, *seconds),
        _ => return Err(KeywordArgumentError::Wanted(wanted)),
    };
    // Signature version 4 allows a week.
    let seconds = number(seconds).filter(|seconds| (1..=604_800).contains(seconds));
    let expires_seconds = seconds.ok_or(KeywordArgumentError::Wanted(wanted))?;
    Ok(PseudoParameter::Stored(StoredPseudo::PresignedUrl {
        bucket: pieces(bucket, wanted)?,
        key: pieces(key, wanted)?,
        expires_seconds,
    }))
}

/// Parses an argument that may contain other pseudo-parameters.
fn pieces(argument: &str, wanted: &'static str) -> Result<ValuePieces, KeywordArgumentError> {
    if argument.is_empty() {
        return Err(KeywordArgumentError::Wanted(wanted));
    }
    parse(argument).map_err(KeywordArgumentError::Inner)
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits
        .chars()
        .all(|c| c.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// Returns the example of the keyword that is most similar to an unknown name.
pub(super) fn nearest(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let head = name
        .rsplit_once('_')
        .map_or(name.as_str(), |(head, _)| head);
    let distance = |keyword: &&PseudoKeyword| {
        let bare = keyword.name.trim_end_matches('_');
        let whole =
            strsim::damerau_levenshtein(&name, bare).min(strsim::damerau_levenshtein(head, bare));
        // `region` means `current_region`.
        let words = bare
            .split(['_', '-'])
            .map(|word| strsim::damerau_levenshtein(&name, word) + 1);
        words.fold(whole, usize::min)
    };
    KEYWORDS
        .iter()
        .min_by_key(distance)
        .map_or("", |keyword| keyword.example)
}
