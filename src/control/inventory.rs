//! The numbers that can be ordered: ranges that the configuration names.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A range of numbers, such as `+12065550100-+12065550199 US Local Seattle WA`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    first: u64,
    last: u64,
    /// Two letters (ISO 3166-1).
    pub country: String,
    toll_free: bool,
    /// Where, if it says.
    pub city: Option<String>,
    /// The state or province there.
    pub state: Option<String>,
}

/// Why a range cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "{0:?} is no range of numbers; write it as \"+12065550100-+12065550199 US Local Seattle WA\""
)]
pub struct BadRange(String);

/// At most, in one range: more is a slip of the pen.
const LARGEST: u64 = 1_000_000;

impl FromStr for Range {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let bad = || BadRange(text.to_owned());
        let mut words = text.split_whitespace();
        let numbers = words.next().ok_or_else(bad)?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| {
            text.strip_prefix('+')
                .filter(|digits| (7..=15).contains(&digits.len()))
                .and_then(|digits| digits.parse::<u64>().ok())
        };
        let (first, last) = (
            number(first).ok_or_else(bad)?,
            number(last).ok_or_else(bad)?,
        );
        let country = words.next().ok_or_else(bad)?;
        let toll_free = match words.next() {
            Some("Local") | None => false,
            Some("TollFree") => true,
            Some(_) => return Err(bad()),
        };
        let mut rest: Vec<&str> = words.collect();
        let state = rest.pop().map(str::to_owned);
        let city = (!rest.is_empty()).then(|| rest.join(" "));
        let fits = first <= last
            && last - first < LARGEST
            && first.to_string().len() == last.to_string().len()
            && country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !fits {
            return Err(bad());
        }
        Ok(Self {
            first,
            last,
            country: country.to_owned(),
            toll_free,
            city,
            state,
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.number_type();
        write!(f, "+{}-+{} {} {kind}", self.first, self.last, self.country)
    }
}

impl Range {
    /// `Local` or `TollFree`.
    #[must_use]
    pub fn number_type(&self) -> &'static str {
        if self.toll_free { "TollFree" } else { "Local" }
    }

    /// Its first and last number.
    #[must_use]
    pub fn bounds(&self) -> (String, String) {
        (format!("+{}", self.first), format!("+{}", self.last))
    }

    fn has(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// Which numbers are searched for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Wanted {
    /// The digits after the country's code (NANP: three).
    pub area_code: Option<String>,
    /// The city's name.
    pub city: Option<String>,
    /// Two letters.
    pub country: Option<String>,
    /// The state's or province's code.
    pub state: Option<String>,
    /// Such as 844, for toll-free ones.
    pub toll_free_prefix: Option<String>,
    /// `Local` or `TollFree`.
    pub number_type: Option<String>,
}

impl Wanted {
    fn takes(&self, range: &Range) -> bool {
        let same = |wish: &Option<String>, is: &Option<String>| match wish {
            None => true,
            Some(wish) => is.as_ref().is_some_and(|is| is.eq_ignore_ascii_case(wish)),
        };
        same(&self.city, &range.city)
            && same(&self.state, &range.state)
            && self
                .country
                .as_ref()
                .is_none_or(|country| *country == range.country)
            && self
                .number_type
                .as_ref()
                .is_none_or(|kind| kind == range.number_type())
            && (self.toll_free_prefix.is_none() || range.toll_free)
    }

    /// The numbers of a range that begin as wished after their country's code, from `least` on, in order.
    fn numbers(&self, range: &Range, least: u64) -> impl Iterator<Item = u64> {
        // Elsewhere than in the NANP, whose code is 1, the length of the country's code is not known here: none, as some
        // write it with the code, to three digits.
        let codes = match range.country.as_str() {
            "US" | "CA" | "PR" => 1..=1,
            _ => 0..=3,
        };
        let wishes: Vec<&str> = [&self.area_code, &self.toll_free_prefix]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|digits| !digits.is_empty())
            .collect();
        let blocks: Vec<Vec<Block>> = wishes
            .iter()
            .map(|digits| {
                let blocks = codes.clone();
                blocks
                    .filter_map(|code| Block::new(range.last, code, digits))
                    .collect()
            })
            .collect();
        let smallest = blocks.iter().flatten().map(|block| block.size).min();
        let mut at = range.first.max(least);
        let last = range.last;
        std::iter::from_fn(move || {
            while at <= last {
                let number = at;
                let fits = |of: &Vec<Block>| of.iter().any(|block| block.has(number));
                if blocks.iter().all(fits) {
                    at += 1;
                    return Some(number);
                }
                // All of a block fits or none does: the rest of this one need not be looked at.
                let size = smallest?;
                at = (number / size + 1) * size;
            }
            None
        })
    }
}

/// The numbers of one length that have certain digits in one place: whole blocks of numbers in a row.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// How many numbers in a row.
    size: u64,
    /// Of the digits, ten to the power of how many they are.
    span: u64,
    digits: u64,
}

impl Block {
    /// Of numbers as long as that one with these digits after `skipped` ones; `None` if they do not fit in.
    fn new(alike: u64, skipped: u32, digits: &str) -> Option<Self> {
        let length = alike.checked_ilog10()? + 1;
        let count = u32::try_from(digits.len()).ok()?;
        let behind = length.checked_sub(skipped)?.checked_sub(count)?;
        Some(Self {
            size: 10_u64.checked_pow(behind)?,
            span: 10_u64.checked_pow(count)?,
            digits: digits.parse().ok()?,
        })
    }

    fn has(&self, number: u64) -> bool {
        number / self.size % self.span == self.digits
    }
}

/// All ranges.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Inventory {
    ranges: Vec<Range>,
}

impl Inventory {
    /// Of these ranges, in the order of their numbers.
    #[must_use]
    pub fn new(mut ranges: Vec<Range>) -> Self {
        ranges.sort_by_key(|range| (range.first, range.last));
        Self { ranges }
    }

    /// The range that has a number.
    #[must_use]
    pub fn find(&self, e164: &str) -> Option<&Range> {
        let number = e164.strip_prefix('+')?.parse().ok()?;
        self.ranges.iter().find(|range| range.has(number))
    }

    /// The ranges that may have what is wanted.
    pub fn ranges<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = &'a Range> {
        self.ranges.iter().filter(|range| wanted.takes(range))
    }

    /// Countries with the kinds of number that there are of each.
    #[must_use]
    pub fn countries(&self) -> Vec<(String, Vec<&'static str>)> {
        let mut countries: Vec<(String, Vec<&'static str>)> = Vec::new();
        for range in &self.ranges {
            let kind = range.number_type();
            match countries
                .iter_mut()
                .find(|(country, _)| *country == range.country)
            {
                Some((_, kinds)) if kinds.contains(&kind) => {}
                Some((_, kinds)) => kinds.push(kind),
                None => countries.push((range.country.clone(), vec![kind])),
            }
        }
        countries.sort();
        countries
    }
}

impl super::Control {
    /// Numbers of the inventory that nobody has, after one, in order; at most so many. The second is the number after
    /// which to go on.
    ///
    /// # Errors
    /// The store.
    pub async fn search_numbers(
        &self,
        wanted: &Wanted,
        page: &crate::store::Page,
    ) -> Result<crate::store::Listed<String>, super::Refusal> {
        self.release_numbers().await?;
        let most = usize::try_from(page.most).unwrap_or(usize::MAX);
        let least = page
            .after
            .strip_prefix('+')
            .and_then(|digits| digits.parse().ok());
        let least = least.map_or(0, |number: u64| number.saturating_add(1));
        let mut items = Vec::new();
        for range in self.inventory.ranges(wanted) {
            let mut numbers = wanted.numbers(range, least);
            loop {
                let some: Vec<String> = numbers.by_ref().take(AT_ONCE).map(e164).collect();
                let (Some(first), Some(last)) = (some.first(), some.last()) else {
                    break;
                };
                let taken = self.store.taken_between(first, last).await?;
                for number in some {
                    if taken.binary_search(&number).is_ok() {
                        continue;
                    }
                    if items.len() == most {
                        let next = items.last().cloned();
                        return Ok(crate::store::Listed { items, next });
                    }
                    items.push(number);
                }
            }
        }
        Ok(crate::store::Listed { items, next: None })
    }
}

fn e164(number: u64) -> String {
    format!("+{number}")
}

/// Numbers of which the store is asked at once which are taken.
const AT_ONCE: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_says_where_it_is() {
        let seattle = range("+12065550100-+12065550199 US Local Seattle WA");
        assert_eq!(
            seattle.bounds(),
            ("+12065550100".to_owned(), "+12065550199".to_owned())
        );
        assert_eq!(
            (seattle.city.as_deref(), seattle.state.as_deref()),
            (Some("Seattle"), Some("WA"))
        );
        let salt = range("+18015550100 US Local Salt Lake City UT");
        assert_eq!(salt.city.as_deref(), Some("Salt Lake City"));
        assert_eq!(
            range("+18445550100-+18445550101 US TollFree").number_type(),
            "TollFree"
        );
        for bad in [
            "",
            "+1206",
            "12065550100 US",
            "+12065550199-+12065550100 US",
            "+12065550100 us",
            "+12065550100 US Mobile",
            "+10000000-+19999999 US",
        ] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_are_in_the_order_of_their_numbers_not_of_their_digits() {
        let inventory = Inventory::new(vec![
            range("+12065550100 US"),
            range("+4930123456-+4930123457 DE Local Berlin"),
        ]);
        let wanted = Wanted::default();
        let all: Vec<String> = inventory
            .ranges(&wanted)
            .flat_map(|range| wanted.numbers(range, 4_930_123_457).map(e164))
            .collect();
        assert_eq!(all, ["+4930123457", "+12065550100"]);
    }

    /// Every number of a large range, looked at one by one.
    #[test]
    fn numbers_are_skipped_in_blocks_as_if_one_by_one() {
        let range = range("+4420710000-+4420799999 GB");
        for digits in ["071", "7105", "44207", "99", "4207123"] {
            let wanted = Wanted {
                area_code: Some(digits.to_owned()),
                ..Wanted::default()
            };
            let found: Vec<u64> = wanted.numbers(&range, 4_420_710_007).collect();
            let expected: Vec<u64> = (4_420_710_007..=4_420_799_999_u64)
                .filter(|number| {
                    let text = number.to_string();
                    (0..=3).any(|code| text[code..].starts_with(digits))
                })
                .collect();
            assert_eq!(found, expected, "{digits}");
        }
    }

    #[test]
    fn a_search_takes_what_fits() {
        let inventory = Inventory::new(vec![
            range("+12065550100-+12065550102 US Local Seattle WA"),
            range("+18445550100-+18445550101 US TollFree"),
            range("+442071838750-+442071838751 GB Local London"),
        ]);
        let numbers = |wanted: &Wanted| -> Vec<String> {
            inventory
                .ranges(wanted)
                .flat_map(|range| wanted.numbers(range, 0).map(e164).collect::<Vec<_>>())
                .collect()
        };
        let wanted = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            wanted
        };
        assert_eq!(numbers(&Wanted::default()).len(), 7);
        assert_eq!(
            numbers(&wanted(|w| w.area_code = Some("206".to_owned()))).len(),
            3
        );
        assert_eq!(
            numbers(&wanted(|w| w.toll_free_prefix = Some("844".to_owned()))).len(),
            2
        );
        assert_eq!(
            numbers(&wanted(|w| w.city = Some("seattle".to_owned()))).len(),
            3
        );
        assert_eq!(
            numbers(&wanted(|w| w.country = Some("GB".to_owned()))).len(),
            2
        );
        assert_eq!(
            numbers(&wanted(|w| w.area_code = Some("999".to_owned()))).len(),
            0
        );
        assert_eq!(
            numbers(&wanted(|w| w.area_code = Some("207".to_owned()))).len(),
            2,
            "after the code of the United Kingdom"
        );
        assert_eq!(inventory.find("+12065550101").unwrap().country, "US");
        assert_eq!(inventory.find("+12065550103"), None);
        assert_eq!(
            inventory.countries(),
            [
                ("GB".to_owned(), vec!["Local"]),
                ("US".to_owned(), vec!["Local", "TollFree"])
            ]
        );
    }
}
