//! Numbers in messages between processes, in little-endian order.

/// A number that messages hold.
pub trait Number: Copy {
    /// Bytes of one number.
    const SIZE: usize;
    fn write(self, to: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            const SIZE: usize = size_of::<$type>();
            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_le_bytes)
            }
        }
    };
}
number!(f32);
number!(f64);

/// The bytes of numbers.
pub fn bytes_of<'n, N: Number + 'n>(numbers: impl IntoIterator<Item = &'n N>) -> Vec<u8> {
    let mut bytes = Vec::new();
    numbers.into_iter().for_each(|number| number.write(&mut bytes));
    bytes
}

/// The numbers of bytes.
pub fn numbers_of<N: Number>(bytes: &[u8]) -> Vec<N> {
    bytes.chunks_exact(N::SIZE).filter_map(N::read).collect()
}
