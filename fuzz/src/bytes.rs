//! Reads an input from its front: where it ends, zeros follow.

/// What is left of an input.
pub struct Bytes<'a>(pub &'a [u8]);

/// Numbers that programs stumble over.
const EDGES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MIN_POSITIVE,
    5e-324,
    1e-40,
    f64::MAX,
    f64::MIN,
    1e30,
    4_294_967_295.0,
    4_294_967_296.0,
    9_007_199_254_740_993.0,
];

impl Bytes<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// 0..`count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn pair(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Within a range, its ends more often than by chance.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        match self.byte() {
            0..=15 => low,
            16..=31 => high,
            byte => low + (high - low) * f64::from(u16::from_le_bytes([byte, self.byte()])) / 65_535.0,
        }
    }

    /// Mostly within a range, sometimes any number at all.
    pub fn around(&mut self, low: f64, high: f64) -> f64 {
        match self.byte() {
            0..=199 => self.within(low, high),
            byte @ 200..=239 => EDGES[usize::from(byte) % EDGES.len()],
            _ => f64::from_bits(self.word()),
        }
    }

    pub fn around_f32(&mut self, low: f64, high: f64) -> f32 {
        self.around(low, high) as f32
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
