//! Words of messages: takes what a user wrote, gives the nearest known word and a form that is safe to show.

/// Longest excerpt of a user's text in a message, in characters.
const SHOWN: usize = 60;
/// Longer words are nobody's slip of the finger, and the distance costs their product.
const COMPARED: usize = 40;

/// The text between back-ticks, on one line, without control characters, cut to a readable length.
pub(super) fn shown(text: &str) -> String {
    format!("`{}`", escaped(text, SHOWN))
}

/// Another library's message, which may quote the user's text.
pub(super) fn one_line(message: &str) -> String {
    escaped(message, 4 * SHOWN)
}

/// Line ends, control characters and marks that turn the direction of writing, as escapes.
fn escaped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        if letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Words as a sentence lists them: `a, b and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
        _ => words.concat(),
    }
}

/// The known word that was most likely meant, if one is near enough to be believed.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = folded(word);
    if word.is_empty() || word.len() > COMPARED {
        return None;
    }
    known
        .iter()
        .map(|candidate| (distance(&word, &folded(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 4 + 1 && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters and digits in lower case: `before_allow traffic` and `BeforeAllowTraffic` are one word.
fn folded(word: &str) -> Vec<char> {
    word.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = above[j] + usize::from(a != b);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["Name", "Alias", "CurrentVersion", "TargetVersion"];

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        assert_eq!(nearest("TargetVerison", &KEYS), Some("TargetVersion"));
        assert_eq!(nearest("target_version", &KEYS), Some("TargetVersion"));
        assert_eq!(nearest("Nmae", &KEYS), Some("Name"));
        assert_eq!(nearest("Aliases", &KEYS), Some("Alias"));
    }

    #[test]
    fn a_word_of_its_own_finds_nothing() {
        assert_eq!(nearest("Description", &KEYS), None);
        assert_eq!(nearest("x", &KEYS), None);
        assert_eq!(nearest("", &KEYS), None);
        assert_eq!(nearest(&"Name".repeat(1000), &KEYS), None);
    }

    #[test]
    fn a_list_of_words_ends_in_and() {
        assert_eq!(listed(&KEYS), "Name, Alias, CurrentVersion and TargetVersion");
        assert_eq!(listed(&KEYS[..2]), "Name and Alias");
        assert_eq!(listed(&KEYS[..1]), "Name");
        assert_eq!(listed(&[]), "");
    }

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), SHOWN + 3);
    }
}
