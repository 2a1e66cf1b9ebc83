//! Generates names of stacks and buckets like TaskCat (`_dataclasses.py`), limited to what AWS
//! accepts.

use uuid::Uuid;

/// CloudFormation's limit for a stack's name, in characters.
const MAX_STACK_NAME: usize = 128;

/// S3's limit for a bucket's name, in characters.
const MAX_BUCKET_NAME: usize = 63;

/// A test's configuration of its stacks' names; empty strings count as absent, as in TaskCat.
/// `config` refuses more than one of the three.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StackNaming<'a> {
    /// The value of `stack_name`.
    pub name: Option<&'a str>,
    /// The value of `stack_name_prefix`.
    pub prefix: Option<&'a str>,
    /// The value of `stack_name_suffix`.
    pub suffix: Option<&'a str>,
    /// The value of `project.shorten_stack_name`.
    pub shorten: bool,
}

impl StackNaming<'_> {
    /// Returns the name of the test's stacks, the same in every region (`TestObj.stack_name`), made
    /// valid by [`valid_stack_name`].
    pub(super) fn stack_name(&self, project: &str, test: &str, run_id: Uuid) -> String {
        let given = |text: Option<&'_ str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let id = run_id.simple().to_string();
        let short = &id[..6];
        let name = if let Some(name) = given(self.name) {
            name
        } else if let Some(prefix) = given(self.prefix) {
            if self.shorten {
                format!("{prefix}{test}-{short}")
            } else {
                format!("{prefix}{project}-{test}-{id}")
            }
        } else if let Some(suffix) = given(self.suffix) {
            format!("tCaT-{project}-{test}-{suffix}")
        } else if self.shorten {
            format!("tCaT-{test}-{short}")
        } else {
            format!("tCaT-{project}-{test}-{id}")
        };
        valid_stack_name(&name)
    }
}

/// Returns a name that CloudFormation accepts: at most 128 letters, digits and dashes, beginning
/// with a letter.
///
/// Each other character (project names may contain slashes) becomes a dash, and a name that doesn't
/// begin with a letter gets the prefix `tCaT-`. The middle of a name that is too long is replaced
/// by eight hex digits of the whole name's hash: its end identifies the run, and the hash keeps
/// long names distinct.
pub fn valid_stack_name(name: &str) -> String {
    let mut valid: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if !valid.starts_with(|c: char| c.is_ascii_alphabetic()) {
        valid.insert_str(0, "tCaT-");
    }
    if valid.len() <= MAX_STACK_NAME {
        return valid;
    }
    // A dash and the run's ID of 32 digits.
    let end = &valid[valid.len() - 33..];
    let hash = Uuid::new_v5(&Uuid::nil(), name.as_bytes())
        .simple()
        .to_string();
    let start = &valid[..MAX_STACK_NAME - end.len() - 9];
    format!("{start}-{}{end}", &hash[..8])
}

/// Returns the name of the bucket that is created for a run in an account: `tcat-<project>-` and
/// eight letters and digits (`generate_bucket_name`).
///
/// TaskCat's eight are random; ours are derived from the run and the account, so that the name is
/// known before the bucket is created. Slashes become dashes, and a long project name is shortened
/// so that the name has at most 63 characters (TaskCat shortens some names more, and those over 61
/// characters too little).
///
/// The partition is included because a simulator may use the same account in two partitions, which
/// share bucket names.
pub fn auto_bucket_name(project: &str, partition: &str, account_id: &str, run_id: Uuid) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    const ENDS: usize = "tcat-".len() + "-12345678".len();
    let lower = project.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let project: String = lower.take(MAX_BUCKET_NAME - ENDS).collect();
    let owner = if partition == "aws" {
        account_id.to_owned()
    } else {
        format!("{partition} {account_id}")
    };
    let mut seed = Uuid::new_v5(&run_id, owner.as_bytes()).as_u128();
    let mut suffix = String::new();
    for _ in 0..8 {
        suffix.extend(
            ALPHABET
                .get((seed % 36) as usize)
                .map(|byte| char::from(*byte)),
        );
        seed /= 36;
    }
    match project.trim_matches('-') {
        "" => format!("tcat-{suffix}"),
        project => format!("tcat-{project}-{suffix}"),
    }
}

/// Returns the name of the bucket that all runs of an account share in a region
/// (`generate_regional_bucket_name`).
pub(super) fn regional_bucket_name(account_id: &str, region: &str) -> String {
    format!(
        "tcat-{}-{region}",
        Uuid::new_v5(&Uuid::nil(), account_id.as_bytes()).simple()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn stack_names_are_taskcats() {
        let check = |name: Option<&str>,
                     prefix: Option<&str>,
                     suffix: Option<&str>,
                     shorten,
                     expect: &str| {
            let naming = StackNaming {
                name,
                prefix,
                suffix,
                shorten,
            };
            assert_eq!(naming.stack_name("proj", "one", RUN), expect, "{naming:?}");
        };
        check(None, None, None, false, &format!("tCaT-proj-one-{ID}"));
        check(None, None, None, true, "tCaT-one-012345");
        check(Some("mine"), None, None, false, "mine");
        check(Some("mine"), None, None, true, "mine");
        check(
            None,
            Some("pre-"),
            None,
            false,
            &format!("pre-proj-one-{ID}"),
        );
        check(None, Some("pre-"), None, true, "pre-one-012345");
        check(None, None, Some("suf"), false, "tCaT-proj-one-suf");
        check(None, None, Some("suf"), true, "tCaT-proj-one-suf");
        check(
            Some(""),
            Some(""),
            Some(""),
            false,
            &format!("tCaT-proj-one-{ID}"),
        );
    }

    #[test]
    fn stack_names_are_made_valid() {
        let check = |name: &str, expect: &str| assert_eq!(valid_stack_name(name), expect, "{name}");
        check("tCaT-a/b-one", "tCaT-a-b-one");
        check("1st_stack é", "tCaT-1st-stack--");
        check("", "tCaT-");
        let longest = "a".repeat(128);
        check(&longest, &longest);

        let long = |project: &str| {
            let name = StackNaming::default().stack_name(&project.repeat(60), "one", RUN);
            assert_eq!(name.len(), 128, "{name}");
            assert!(
                name.starts_with("tCaT-ab") && name.ends_with(&format!("-{ID}")),
                "{name}"
            );
            name
        };
        assert_ne!(long("abc"), long("abcd"));
    }

    #[test]
    fn bucket_names_are_valid_and_keep_the_project() {
        let check = |project: &str, start: &str| {
            let name = auto_bucket_name(project, "aws", "123456789012", RUN);
            assert!(name.starts_with(start), "{name}");
            let suffix = &name[start.len()..];
            assert!(
                suffix.len() == 8
                    && suffix
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                "{name}"
            );
            assert!(name.len() <= 63, "{name}");
        };
        check("quickstart-vpc", "tcat-quickstart-vpc-");
        check("team/Project", "tcat-team-project-");
        check("-", "tcat-");
        check("", "tcat-");
        check(&"a".repeat(49), &format!("tcat-{}-", "a".repeat(49)));
        check(&"a".repeat(100), &format!("tcat-{}-", "a".repeat(49)));
        check(
            &format!("{}-b", "a".repeat(48)),
            &format!("tcat-{}-", "a".repeat(48)),
        );
    }

    #[test]
    fn bucket_names_differ_by_run_and_account() {
        let name = |account: &str, run| auto_bucket_name("p", "aws", account, run);
        assert_ne!(name("1", RUN), auto_bucket_name("p", "aws-cn", "1", RUN));
        assert_eq!(name("1", RUN), name("1", RUN));
        assert_ne!(name("1", RUN), name("2", RUN));
        assert_ne!(name("1", RUN), name("1", Uuid::from_u128(1)));
    }

    /// The expected names are the output of TaskCat 0.9.58.
    #[test]
    fn regional_bucket_names_are_taskcats() {
        let check = |account: &str, region: &str, expect: &str| {
            assert_eq!(regional_bucket_name(account, region), expect)
        };
        check(
            "123456789012",
            "us-east-1",
            "tcat-2cfe2a0ca9ef54b88e00e72ad6b63fb9-us-east-1",
        );
        check(
            "000000000000",
            "eusc-de-east-1",
            "tcat-27c208fec1c65c9caf101c85e737f31c-eusc-de-east-1",
        );
        check(
            "987654321098",
            "us-gov-west-1",
            "tcat-47db41f02efd515c85f738c715a86b1d-us-gov-west-1",
        );
    }
}
