//! Numbers in messages between processes, in little-endian order.

/// A number that messages hold.
pub trait Number: Copy {
    /// Appends the bytes of some numbers.
    fn append(numbers: &[Self], to: &mut Vec<u8>);
    /// The numbers of some bytes, without those of a last one that is not whole.
    fn all_of(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            fn append(numbers: &[Self], to: &mut Vec<u8>) {
                let begin = to.len();
                to.resize(begin + size_of_val(numbers), 0);
                for (bytes, number) in to[begin..].as_chunks_mut().0.iter_mut().zip(numbers) {
                    *bytes = number.to_le_bytes();
                }
            }
            fn all_of(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect()
            }
        }
    };
}
number!(f32);
number!(f64);

/// The bytes of lists of numbers, one after another.
pub fn bytes_of<'n, N: Number + 'n>(lists: impl IntoIterator<Item = &'n [N], IntoIter: Clone>) -> Vec<u8> {
    let lists = lists.into_iter();
    let mut bytes = Vec::with_capacity(lists.clone().map(size_of_val).sum());
    lists.for_each(|numbers| N::append(numbers, &mut bytes));
    bytes
}

/// The numbers of bytes.
pub fn numbers_of<N: Number>(bytes: &[u8]) -> Vec<N> {
    N::all_of(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_were_sent() {
        let lists = [&[1.5, -0.0, f32::MIN_POSITIVE][..], &[], &[f32::INFINITY]];
        let bytes = bytes_of(lists);
        assert_eq!(bytes[..8], [0, 0, 0xc0, 0x3f, 0, 0, 0, 0x80]);
        assert_eq!(numbers_of::<f32>(&bytes).iter().map(|x| x.to_bits()).collect::<Vec<_>>(), {
            lists.concat().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        });
        assert_eq!(numbers_of::<f64>(&bytes_of([&[1e-300, 2.0][..]])), [1e-300, 2.0]);
        assert_eq!(numbers_of::<f32>(&bytes[..7]), [1.5]);
    }
}
