//! Sixteen bytes at a time: which of them are what a parser looks for.
//!
//! Vector instructions where the target has them, which for x86-64 is always and for guests is how `cargo xtask` builds
//! them; plain arithmetic elsewhere, with the same answers. Bit `n` of a mask speaks of byte `n`.
#![allow(clippy::inline_always, reason = "a call would cost more than what it does; measured in the sandbox")]

/// Bytes looked at in one step.
pub(crate) type Block = [u8; 16];

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the instructions are SSE2, which every x86-64 has; they touch no memory")]
mod imp {
    use super::Block;
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    #[inline(always)]
    fn load(block: &Block) -> __m128i {
        let both = u128::from_le_bytes(*block);
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_set_epi64x((both >> 64) as i64, both as i64) }
    }

    #[inline(always)]
    pub(crate) fn equal(block: &Block, byte: u8) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(load(block), _mm_set1_epi8(byte as i8))) as u32 }
    }

    #[inline(always)]
    pub(crate) fn escapes(block: &Block) -> u32 {
        let bytes = load(block);
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))) as u32
        }
    }

    #[inline(always)]
    pub(crate) fn digits(block: &Block) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let values = _mm_sub_epi8(load(block), _mm_set1_epi8(b'0' as i8));
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)) as u32
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use super::Block;
    use std::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_or,
    };

    #[inline(always)]
    fn load(block: &Block) -> v128 {
        let both = u128::from_le_bytes(*block);
        u64x2(both as u64, (both >> 64) as u64)
    }

    #[inline(always)]
    pub(crate) fn equal(block: &Block, byte: u8) -> u32 {
        u32::from(u8x16_bitmask(u8x16_eq(load(block), u8x16_splat(byte))))
    }

    #[inline(always)]
    pub(crate) fn escapes(block: &Block) -> u32 {
        let bytes = load(block);
        let control = u8x16_lt(bytes, u8x16_splat(0x20));
        let quote = u8x16_eq(bytes, u8x16_splat(b'"'));
        let backslash = u8x16_eq(bytes, u8x16_splat(b'\\'));
        u32::from(u8x16_bitmask(v128_or(control, v128_or(quote, backslash))))
    }

    #[inline(always)]
    pub(crate) fn digits(block: &Block) -> u32 {
        u32::from(u8x16_bitmask(u8x16_le(u8x16_sub(load(block), u8x16_splat(b'0')), u8x16_splat(9))))
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
use plain as imp;

#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))))]
mod plain {
    use super::Block;

    #[inline(always)]
    fn mask(block: &Block, is: impl Fn(u8) -> bool) -> u32 {
        block.iter().enumerate().fold(0, |mask, (index, byte)| mask | u32::from(is(*byte)) << index)
    }

    #[inline(always)]
    pub(crate) fn equal(block: &Block, byte: u8) -> u32 {
        mask(block, |other| other == byte)
    }

    #[inline(always)]
    pub(crate) fn escapes(block: &Block) -> u32 {
        mask(block, |byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    }

    #[inline(always)]
    pub(crate) fn digits(block: &Block) -> u32 {
        mask(block, |byte| byte.is_ascii_digit())
    }
}

/// Where `byte` stands.
#[inline(always)]
pub(crate) fn equal(block: &Block, byte: u8) -> u32 {
    imp::equal(block, byte)
}

/// Where bytes stand that JSON escapes in strings: control characters, quotes, backslashes.
#[inline(always)]
pub(crate) fn escapes(block: &Block) -> u32 {
    imp::escapes(block)
}

/// Where decimal digits stand.
#[inline(always)]
pub(crate) fn digits(block: &Block) -> u32 {
    imp::digits(block)
}

/// Whether the first `length` bytes are an IPv4 address: four octets in decimal, without leading zeros.
#[inline(always)]
pub(crate) fn is_ipv4(block: &Block, length: usize) -> bool {
    if !(7..=15).contains(&length) {
        return false;
    }
    let all = (1_u32 << length) - 1;
    let mut dots = equal(block, b'.') & all;
    if dots.count_ones() != 3 || dots | digits(block) & all != all {
        return false;
    }
    // A fourth dot, behind the last octet.
    dots |= 1 << length;
    let mut start = 0_usize;
    let mut valid = true;
    for _ in 0..4 {
        let end = dots.trailing_zeros() as usize;
        dots &= dots - 1;
        let digit = |at: usize| u32::from(block.get(at).copied().unwrap_or(0).wrapping_sub(b'0'));
        valid &= match end.wrapping_sub(start) {
            1 => true,
            2 => digit(start) != 0,
            3 => digit(start) != 0 && digit(start) * 100 + digit(start + 1) * 10 + digit(start + 2) < 256,
            _ => false,
        };
        start = end + 1;
    }
    valid
}

/// A text of 7 to 16 bytes, and zeros behind it; none for other lengths.
#[inline(always)]
pub(crate) fn of_short(text: &[u8]) -> Option<Block> {
    let both = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let unused = 16_usize.checked_sub(text.len())? as u32;
        let last = u64::from_le_bytes(*last).checked_shr(8 * unused).unwrap_or(0);
        u128::from(u64::from_le_bytes(*first)) | u128::from(last) << 64
    } else {
        let (first, last) = (text.first_chunk::<4>()?, text.last_chunk::<4>()?);
        if text.len() != 7 {
            return None;
        }
        u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last) >> 8) << 32
    };
    Some(both.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_those_of_plain_arithmetic() {
        for byte in 0..=255_u8 {
            for at in 0..16 {
                let mut block = *b"0:/ !#[]az.~\x7f\x80\xff9";
                block[at] = byte;
                assert_eq!(equal(&block, byte), plain::equal(&block, byte));
                assert_eq!(escapes(&block), plain::escapes(&block), "{block:?}");
                assert_eq!(digits(&block), plain::digits(&block), "{block:?}");
            }
        }
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        let octets = ["0", "1", "9", "10", "99", "255", "256", "300", "01", "00", "", "1000", "a", "-1"];
        for one in octets {
            for other in octets {
                for text in [
                    format!("{one}.{other}.3.44"),
                    format!("1.22.{one}.{other}"),
                    format!("{one}.{other}.1"),
                    format!("{one}.{other}.1.2.3"),
                ] {
                    let mut block = [b'7'; 16];
                    let length = text.len().min(16);
                    block[..length].copy_from_slice(&text.as_bytes()[..length]);
                    if (7..=15).contains(&text.len()) {
                        let mut padded = [0; 16];
                        padded[..length].copy_from_slice(text.as_bytes());
                        assert_eq!(of_short(text.as_bytes()), Some(padded), "{text}");
                    }
                    assert_eq!(
                        is_ipv4(&block, text.len()),
                        text.parse::<std::net::Ipv4Addr>().is_ok(),
                        "{text}"
                    );
                }
            }
        }
    }
}
