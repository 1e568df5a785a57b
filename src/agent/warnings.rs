//! What people should know of work that may have much to say: takes sentences, gives as many as are told and how many more there are. What is kept
//! of them does not grow with the work.

/// How many are told; where there are more, the last one counts the rest.
const TOLD: usize = 100;

/// Sentences, the weightiest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    first: Vec<String>,
    more: usize,
}

impl Warnings {
    /// One more sentence.
    pub fn add(&mut self, sentence: String) {
        if self.first.len() < TOLD {
            self.first.push(sentence);
        } else {
            self.more += 1;
        }
    }

    /// Those of other work, after these.
    pub fn append(&mut self, others: Self) {
        others.first.into_iter().for_each(|sentence| self.add(sentence));
        self.more += others.more;
    }

    /// What is told.
    pub fn sentences(self) -> Vec<String> {
        let Self { mut first, more } = self;
        if more > 0 {
            let rest = first.len() + more - (TOLD - 1);
            first.truncate(TOLD - 1);
            first.push(format!("and {rest} more of these"));
        }
        first
    }
}

impl FromIterator<String> for Warnings {
    fn from_iter<I: IntoIterator<Item = String>>(sentences: I) -> Self {
        let mut all = Self::default();
        sentences.into_iter().for_each(|sentence| all.add(sentence));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Warnings {
        (0..count).map(|number| format!("no. {number}")).collect()
    }

    #[test]
    fn a_hundred_are_told_and_of_more_the_last_one_counts_the_rest() {
        for count in [0, 1, 100] {
            let said = numbered(count).sentences();
            assert_eq!(
                (said.len(), said.last()),
                (count, count.checked_sub(1).map(|n| format!("no. {n}")).as_ref())
            );
        }
        for (count, rest) in [(101, 2), (5_000, 4_901)] {
            let said = numbered(count).sentences();
            assert_eq!(said.len(), 100);
            assert_eq!(said[98..], ["no. 98".to_owned(), format!("and {rest} more of these")]);
        }
    }

    #[test]
    fn what_other_work_has_to_say_is_counted_too() {
        for (one, other, rest) in
            [(60, 40, None), (60, 41, Some(2)), (60, 140, Some(101)), (150, 150, Some(201))]
        {
            let mut all = numbered(one);
            all.append(numbered(other));
            let said = all.sentences();
            let last = rest.map_or_else(|| "no. 39".to_owned(), |rest| format!("and {rest} more of these"));
            assert_eq!((said.len(), said.last()), (100, Some(&last)), "{one} and {other}");
        }
    }
}
