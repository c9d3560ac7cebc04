//! How many rows of a long list a page shows.

/// How many rows a list shows at first.
const FIRST: u16 = 20;

/// How many more each following page of it shows.
const STEP: u16 = 100;

/// The most rows a list shows.
const MOST: u16 = FIRST + 10 * STEP;

/// How many rows of a list are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLimit(u16);

impl RowLimit {
    #[must_use]
    pub const fn new(rows: u16) -> Self {
        Self(rows)
    }

    /// What an address asks for: the first rows, unless it names a limit.
    #[must_use]
    pub fn asked_for(limit: Option<&str>) -> Self {
        let rows = limit.and_then(|limit| limit.parse().ok()).unwrap_or(FIRST);
        Self(rows.clamp(FIRST, MOST))
    }

    /// How many rows to read: one more than is shown, which says whether there are others.
    #[must_use]
    pub fn to_read(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// The rows that are shown, of those that were read.
    #[must_use]
    pub fn cut<T>(self, mut rows: Vec<T>) -> Rows<T> {
        let shown = usize::from(self.0);
        let others = match (rows.len() > shown, self.0 < MOST) {
            (false, _) => Others::None,
            (true, true) => Others::Within(Self((self.0 + STEP).min(MOST))),
            (true, false) => Others::NotShown,
        };
        rows.truncate(shown);
        Rows { rows, others }
    }

    /// As addresses have it.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.0
    }
}

/// Rows of a list, and whether there are others.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    pub rows: Vec<T>,
    pub others: Others,
}

/// The rows that a list does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    None,
    /// A list that is as long shows some of them.
    Within(RowLimit),
    /// No list shows them.
    NotShown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(asked: Option<&str>, rows: usize) -> (usize, Others) {
        let Rows { rows, others } = RowLimit::asked_for(asked).cut(vec![(); rows]);
        (rows.len(), others)
    }

    #[test]
    fn a_list_shows_its_first_rows_and_the_way_to_the_others() {
        assert_eq!(cut(None, 20), (20, Others::None));
        assert_eq!(cut(None, 21), (20, Others::Within(RowLimit::new(120))));
        assert_eq!(cut(Some("120"), 121), (120, Others::Within(RowLimit::new(220))));
        assert_eq!(cut(Some("1020"), 1021), (1020, Others::NotShown));
    }

    #[test]
    fn an_address_cannot_ask_for_more_than_a_page_takes() {
        for asked in ["60000", "0", "-1", "many", "99999999999"] {
            let limit = RowLimit::asked_for(Some(asked));
            assert!((FIRST..=MOST).contains(&limit.rows()), "{asked}");
        }
    }
}
