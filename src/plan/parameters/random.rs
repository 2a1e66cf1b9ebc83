//! Pseudo-parameters that chance answers: texts, numbers, UUIDs, and passwords (whose making is
//! `password`'s).

use rand::Rng;
use rand::seq::IndexedRandom;

use super::password::{self, DIGITS, LOWERCASE, PasswordSpec};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RandomPseudo {
    /// `$[taskcat_genpass_N]`, with `A` or `S` after the length. A secret.
    Password(PasswordSpec),
    /// `$[taskcat_random-string]`: 20 lower-case letters.
    String,
    /// `$[taskcat_random-numbers]`: 20 digits.
    Numbers,
    /// `$[taskcat_genuuid]`, `$[taskcat_genguid]`
    Uuid,
}

impl RandomPseudo {
    /// A new value from a cryptographic generator.
    pub(super) fn generate(self, rng: &mut impl Rng) -> String {
        match self {
            RandomPseudo::Password(password) => password::generate(password, rng),
            RandomPseudo::String => twenty(LOWERCASE, rng),
            RandomPseudo::Numbers => twenty(DIGITS, rng),
            RandomPseudo::Uuid => uuid(rng),
        }
    }

    pub(super) fn is_secret(self) -> bool {
        matches!(self, RandomPseudo::Password(_))
    }
}

/// A random UUID. TaskCat's is of version 1, which tells the time and the machine's network
/// address; ours does not.
fn uuid(rng: &mut impl Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn twenty(alphabet: &[u8], rng: &mut impl Rng) -> String {
    (0..20)
        .filter_map(|_| alphabet.choose(rng))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn shapes() {
        let mut rng = StdRng::seed_from_u64(1);
        let check = |text: String, alphabet: &[u8]| {
            assert_eq!(text.len(), 20, "{text}");
            assert!(text.bytes().all(|byte| alphabet.contains(&byte)), "{text}");
        };
        check(RandomPseudo::String.generate(&mut rng), LOWERCASE);
        check(RandomPseudo::Numbers.generate(&mut rng), DIGITS);
        let text = RandomPseudo::Uuid.generate(&mut rng);
        assert_eq!(
            text.parse::<uuid::Uuid>()
                .map(|uuid| uuid.get_version_num()),
            Ok(4),
            "{text}"
        );
    }
}
