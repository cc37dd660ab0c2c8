//! Compares names that are short and usually equal, such as those of topics.
//!
//! Java: `String.equals`, which the virtual machine puts in line.
//! Differs: `==` on slices is a call of the C library; a short name takes a few instructions here.
//! Threads: pure functions over plain data. Locks: none.

/// Whether two names are the same.
#[inline]
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.len() == b.len()
        && match a.len() {
            4..=8 => ends_alike::<4>(a, b),
            9..=16 => ends_alike::<8>(a, b),
            17..=32 => ends_alike::<16>(a, b),
            _ => a == b,
        }
}

/// Whether the first `N` bytes are the same, and the last `N`: all of them where there are no more than twice as many.
#[inline]
fn ends_alike<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_when_every_byte_is() {
        for length in 0..70 {
            let name = "n".repeat(length);
            assert!(is_same_name(&name, &name.clone()));
            assert!(!is_same_name(&name, &(name.clone() + "n")));
            for at in 0..length {
                let mut other = name.clone();
                other.replace_range(at..=at, "m");
                assert!(!is_same_name(&name, &other), "{at} of {length}");
            }
        }
    }
}
