use proptest::prelude::*;

use super::*;

const PLACE: Place<'static> = Place {
    bucket: "recordings",
    path: "2026/01/meeting.ogg",
};

fn key(octet: u8) -> ObjectKey {
    ObjectKey::new([octet; 32]).unwrap()
}

fn seal(clear: &[u8], pieces: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sealer = Sealer::new(&key(7), PLACE, [9; SALT_LEN], &mut out).unwrap();
    for piece in clear.chunks(pieces) {
        sealer.push(piece, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    out
}

fn open_as(
    key: &ObjectKey,
    place: Place<'_>,
    sealed: &[u8],
    pieces: usize,
) -> Result<Vec<u8>, BadEnvelope> {
    let mut opener = Opener::new(key, place);
    let mut out = Vec::new();
    for piece in sealed.chunks(pieces) {
        opener.push(piece, &mut out)?;
    }
    opener.finish(&mut out)?;
    Ok(out)
}

fn open(sealed: &[u8]) -> Result<Vec<u8>, BadEnvelope> {
    open_as(&key(7), PLACE, sealed, sealed.len().max(1))
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// Sizes around the borders of chunks, where mistakes live.
const SIZES: [usize; 9] = [
    0,
    1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    2 * CHUNK - 1,
    2 * CHUNK,
    2 * CHUNK + 1,
    3 * CHUNK,
];

#[test]
fn what_was_sealed_opens_at_every_border_and_holds_nothing_in_clear() {
    for size in SIZES {
        let clear = text(size);
        let sealed = seal(&clear, 1000);
        let chunks = size.div_ceil(CHUNK).max(1);
        assert_eq!(sealed.len(), HEAD_LEN + size + chunks * 16, "{size}");
        assert_eq!(seal(&clear, usize::MAX), sealed, "pieces do not matter");
        assert_eq!(open(&sealed).unwrap(), clear, "{size}");
        if size > 100 {
            assert!(!sealed.windows(32).any(|window| window == &clear[..32]));
        }
    }
}

#[test]
fn an_object_of_another_place_or_key_or_none_at_all_is_told_so() {
    let sealed = seal(b"hello", 5);
    for place in [
        Place {
            bucket: "other",
            ..PLACE
        },
        Place {
            path: "2026/01/meeting.og",
            ..PLACE
        },
        // The border between the two is part of the place.
        Place {
            bucket: "recordings2026",
            path: "/01/meeting.ogg",
        },
    ] {
        let moved = open_as(&key(7), place, &sealed, 99);
        assert_eq!(moved, Err(BadEnvelope::Moved), "{place:?}");
    }
    let foreign = open_as(&key(8), PLACE, &sealed, 99);
    assert_eq!(foreign, Err(BadEnvelope::ForeignKey));
    for plain in [b"".as_slice(), b"{}", b"campanil", &[0; 500]] {
        assert_eq!(open(plain), Err(BadEnvelope::NotSealed), "{plain:?}");
    }
    let mut newer = sealed;
    newer[7] = 2;
    assert_eq!(open(&newer), Err(BadEnvelope::Version(2)));
}

#[test]
fn an_object_that_ends_at_the_border_of_a_chunk_is_known_to_be_cut() {
    let sealed = seal(&text(3 * CHUNK), CHUNK);
    for chunks in 1..3 {
        let cut = &sealed[..HEAD_LEN + chunks * (CHUNK + 16)];
        assert_eq!(open(cut), Err(BadEnvelope::Truncated), "{chunks}");
    }
    for head in [7, 8, 20, HEAD_LEN, HEAD_LEN + 15] {
        let cut = &sealed[..head];
        assert_eq!(open(cut), Err(BadEnvelope::Truncated), "{head}");
    }
}

#[test]
fn chunks_cannot_be_swapped_repeated_left_out_or_come_from_another_object() {
    let clear = text(3 * CHUNK);
    let sealed = seal(&clear, CHUNK);
    let (head, body) = sealed.split_at(HEAD_LEN);
    let chunks: Vec<&[u8]> = body.chunks(CHUNK + 16).collect();
    let with = |order: &[&[u8]]| open(&[head, &order.concat()].concat());
    assert!(with(&[chunks[0], chunks[1], chunks[2]]).is_ok());
    for order in [
        [chunks[1], chunks[0], chunks[2]].as_slice(),
        &[chunks[0], chunks[0], chunks[2]],
        &[chunks[0], chunks[2]],
        &[chunks[1], chunks[2]],
        &[chunks[0], chunks[1], chunks[2], chunks[2]],
        &[chunks[0], chunks[1], chunks[2], &[0; 16]],
    ] {
        assert_eq!(with(order), Err(BadEnvelope::Changed));
    }
    let mut other = Vec::new();
    let mut sealer = Sealer::new(&key(7), PLACE, [8; SALT_LEN], &mut other).unwrap();
    sealer.push(&clear, &mut other).unwrap();
    sealer.finish(&mut other).unwrap();
    let strange = &other[HEAD_LEN..HEAD_LEN + CHUNK + 16];
    assert_eq!(
        with(&[strange, chunks[1], chunks[2]]),
        Err(BadEnvelope::Changed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_in_any_pieces_comes_back(
        size in 0..3 * CHUNK,
        into in 1..2 * CHUNK,
        out_of in 1..2 * CHUNK,
    ) {
        let clear = text(size);
        let sealed = seal(&clear, into);
        prop_assert_eq!(open_as(&key(7), PLACE, &sealed, out_of), Ok(clear));
    }

    #[test]
    fn any_cut_and_anything_added_is_refused(size in 0..2 * CHUNK + 100, at in any::<prop::sample::Index>()) {
        let sealed = seal(&text(size), CHUNK);
        let cut = &sealed[..at.index(sealed.len())];
        prop_assert!(open(cut).is_err());
        let longer = [sealed.as_slice(), &sealed[..at.index(sealed.len()).max(1)]].concat();
        prop_assert!(open(&longer).is_err());
    }

    #[test]
    fn any_flipped_bit_is_refused(size in 0..CHUNK + 100, at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut sealed = seal(&text(size), CHUNK);
        let at = at.index(sealed.len());
        sealed[at] ^= 1_u8 << bit;
        prop_assert!(open(&sealed).is_err());
    }

    #[test]
    fn nothing_that_comes_makes_it_panic(octets in prop::collection::vec(any::<u8>(), 0..400), headed in any::<bool>()) {
        let mut sealed = seal(b"x", 1);
        if headed {
            sealed.truncate(HEAD_LEN);
        } else {
            sealed.clear();
        }
        sealed.extend(octets);
        prop_assert!(open(&sealed).is_err());
    }
}
