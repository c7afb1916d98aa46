//! Digits at the beginning of bytes, up to seven of them at once: most numbers of a record have no more before or behind the point.

#![expect(clippy::inline_always, reason = "numbers are half of a record, and are read where they stand")]

/// Digits that a number may have so that it, and every power of ten in it, is exact.
pub(super) const DIGITS: usize = 15;
/// Powers of ten.
const TENS: [u64; DIGITS + 1] = {
    let mut tens = [1; DIGITS + 1];
    let mut at = 1;
    while at <= DIGITS {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};
/// One in each byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The number at the beginning, without needless zeros, and its length.
#[inline(always)]
pub(super) fn whole(bytes: &[u8]) -> Option<(u64, usize)> {
    let (number, count) = read(bytes)?;
    let is_needless = count > 1 && bytes[0] == b'0';
    (!is_needless && count <= DIGITS).then_some((number, count))
}

/// The number that `whole`, of so many digits, and the digits behind its point make, and its length.
#[inline(always)]
pub(super) fn fraction(whole: u64, digits: usize, bytes: &[u8]) -> Option<(f64, usize)> {
    let (part, count) = read(&bytes[digits + 1..])?;
    let number = || (whole * TENS[count] + part) as f64 / TENS[count] as f64;
    (digits + count <= DIGITS).then(|| (number(), digits + 1 + count))
}

/// The length of a number, with or without a fraction.
#[inline]
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let whole = count(bytes)?;
    if whole > 1 && bytes[0] == b'0' {
        return None;
    }
    if bytes.get(whole) == Some(&b'.') { Some(whole + 1 + count(&bytes[whole + 1..])?) } else { Some(whole) }
}

/// The same of most numbers: of those with few digits before and behind the point.
#[inline(always)]
pub(super) fn short(bytes: &[u8]) -> Option<usize> {
    const SEVERAL: std::ops::Range<usize> = 1..8;
    let (_, whole) = leading(*bytes.first_chunk()?);
    if !SEVERAL.contains(&whole) || whole > 1 && bytes[0] == b'0' {
        return None;
    }
    let behind = &bytes[whole..];
    if behind.first() != Some(&b'.') {
        return Some(whole);
    }
    let (_, fraction) = leading(*behind.get(1..)?.first_chunk()?);
    SEVERAL.contains(&fraction).then_some(whole + 1 + fraction)
}

/// The number that digits make, and how many they are; none without any.
#[inline(always)]
fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let Some(eight) = bytes.first_chunk() else { return one_by_one(bytes) };
    let (values, count) = leading(*eight);
    match count {
        0 => None,
        1 => Some((u64::from(bytes[0] & 0xf), 1)),
        8 => one_by_one(bytes),
        _ => Some((joined(values << (64 - 8 * count)), count)),
    }
}

/// How many digits there are; none without any.
#[inline]
fn count(bytes: &[u8]) -> Option<usize> {
    let count = bytes.first_chunk().map_or(8, |eight| leading(*eight).1);
    match count {
        0 => None,
        8 => one_by_one(bytes).map(|(_, count)| count),
        _ => Some(count),
    }
}

#[cold]
#[inline(never)]
fn one_by_one(bytes: &[u8]) -> Option<(u64, usize)> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let (number, count) = digits.fold((0_u64, 0), |(number, count), digit| {
        (number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')), count + 1)
    });
    (count > 0).then_some((number, count))
}

/// The values of the digits at the beginning of a word, a byte each, and how many they are.
#[inline(always)]
fn leading(bytes: [u8; 8]) -> (u64, usize) {
    // A digit becomes its value. Any other byte is above 9, and has its highest bit in one of both; what it may carry over goes to
    // bytes behind it.
    let values = u64::from_le_bytes(bytes) ^ (EACH * 0x30);
    let others = (values | values.wrapping_add(EACH * 0x76)) & (EACH * 0x80);
    (values, others.trailing_zeros() as usize / 8)
}

/// The number that eight values of digits make.
#[inline(always)]
fn joined(values: u64) -> u64 {
    // Two digits make one number, then two of these, then two of those.
    let twos = (values.wrapping_mul(10).wrapping_add(values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(100).wrapping_add(twos >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}
