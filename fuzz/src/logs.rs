//! What people ask logs for.

use campanile::record::logs::pattern::Pattern;

/// A filter pattern, and in the lines behind it what it is asked of: no panic, and a test in parentheses says of each line
/// what it says without.
pub fn filter_pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    match Pattern::read(lines.next().unwrap_or_default()) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(pattern) => {
            let inner = text.lines().next().unwrap_or_default().trim();
            let inner = inner
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let inner = inner.map(|test| Pattern::read(&format!("{{({test})}}")));
            for line in lines {
                let fits = pattern.fits(line);
                // One that is as deep as may be has no room for another pair.
                if let Some(Ok(inner)) = &inner {
                    assert_eq!(inner.fits(line), fits, "{line}");
                }
            }
        }
    }
}
