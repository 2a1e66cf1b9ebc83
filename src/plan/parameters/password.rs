//! Generates passwords for `$[taskcat_genpass_…]` with characters of each class.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

/// The length and characters of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PasswordSpec {
    /// Length in characters, at least 1.
    pub length: usize,
    pub class: CharacterClass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CharacterClass {
    /// `A` or no letter: lower-case and upper-case letters and digits.
    Alphanumeric,
    /// `S`: also special characters.
    Special,
}

pub(super) const LOWERCASE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
pub(super) const DIGITS: &[u8] = b"1234567890";
const UPPERCASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// TaskCat's special characters.
const SPECIAL: &[u8] = b"!#$&{*:[=,]-_%@+";

/// Generates a password with characters of every class, if it is long enough, in random order.
/// `rng` must be a cryptographic generator.
pub(super) fn generate(password: PasswordSpec, rng: &mut impl Rng) -> String {
    let classes: &[&[u8]] = match password.class {
        CharacterClass::Alphanumeric => &[LOWERCASE, UPPERCASE, DIGITS],
        CharacterClass::Special => &[LOWERCASE, UPPERCASE, DIGITS, SPECIAL],
    };
    // The classes alternate as in TaskCat, so that each has its share; shuffling hides the order.
    let turns = classes.iter().cycle().take(password.length);
    let mut characters: Vec<char> = turns
        .filter_map(|class| class.choose(rng))
        .map(|byte| char::from(*byte))
        .collect();
    characters.shuffle(rng);
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn every_promised_class_is_there() {
        let check = |length: usize, class: CharacterClass, classes: &[&[u8]]| {
            for seed in 0..200 {
                let text = generate(
                    PasswordSpec { length, class },
                    &mut StdRng::seed_from_u64(seed),
                );
                assert_eq!(text.len(), length, "{text}");
                for promised in classes.iter().take(length) {
                    let holds = text.bytes().any(|byte| promised.contains(&byte));
                    assert!(
                        holds,
                        "{text} has none of {}",
                        String::from_utf8_lossy(promised)
                    );
                }
                let known = text
                    .bytes()
                    .all(|byte| classes.iter().any(|class| class.contains(&byte)));
                assert!(known, "{text} has a character of no promised class");
            }
        };
        check(1, CharacterClass::Alphanumeric, &[LOWERCASE]);
        check(
            3,
            CharacterClass::Alphanumeric,
            &[LOWERCASE, UPPERCASE, DIGITS],
        );
        check(
            32,
            CharacterClass::Alphanumeric,
            &[LOWERCASE, UPPERCASE, DIGITS],
        );
        check(
            4,
            CharacterClass::Special,
            &[LOWERCASE, UPPERCASE, DIGITS, SPECIAL],
        );
        check(
            8,
            CharacterClass::Special,
            &[LOWERCASE, UPPERCASE, DIGITS, SPECIAL],
        );
        check(
            4096,
            CharacterClass::Special,
            &[LOWERCASE, UPPERCASE, DIGITS, SPECIAL],
        );
    }

    #[test]
    fn the_order_of_the_classes_is_not_fixed() {
        let password = PasswordSpec {
            length: 8,
            class: CharacterClass::Special,
        };
        let starts_lower = (0..200)
            .map(|seed| generate(password, &mut StdRng::seed_from_u64(seed)))
            .filter(|text| text.starts_with(|c: char| c.is_ascii_lowercase()))
            .count();
        assert!(
            (10..100).contains(&starts_lower),
            "{starts_lower} of 200 begin with a lower-case letter"
        );
    }
}
