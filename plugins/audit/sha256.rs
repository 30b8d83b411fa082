//! SHA-256 (FIPS 180-4), fed piece by piece.

pub type Digest = [u8; 32];

const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// A hash that is being computed.
pub struct Sha256 {
    h: [u32; 8],
    block: [u8; 64],
    used: usize,
    total: u64, // bytes
}

impl Sha256 {
    pub const fn new() -> Self { Sha256 { h: START, block: [0; 64], used: 0, total: 0 } }

    pub fn put(&mut self, mut b: &[u8]) -> &mut Self {
        self.total += b.len() as u64;
        if self.used > 0 {
            let n = b.len().min(64 - self.used);
            self.block[self.used..self.used + n].copy_from_slice(&b[..n]);
            self.used += n;
            b = &b[n..];
            if self.used < 64 { return self; }
            compress(&mut self.h, &self.block);
        }
        let mut whole = b.chunks_exact(64);
        for block in &mut whole { compress(&mut self.h, block); }
        let rest = whole.remainder();
        self.block[..rest.len()].copy_from_slice(rest);
        self.used = rest.len();
        self
    }

    /// Puts a number of 32 bits and that many bytes, so that where one part ends is hashed too.
    pub fn part(&mut self, b: &[u8]) -> &mut Self { self.put(&(b.len() as u32).to_le_bytes()).put(b) }

    pub fn digest(&mut self) -> Digest {
        let bits = self.total * 8;
        self.put(&[0x80]);
        while self.used != 56 { self.put(&[0]); }
        self.put(&bits.to_be_bytes());
        let mut out = [0; 32];
        for (to, word) in out.chunks_exact_mut(4).zip(self.h) { to.copy_from_slice(&word.to_be_bytes()); }
        out
    }
}

fn compress(h: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (to, from) in w.iter_mut().zip(block.chunks_exact(4)) { *to = u32::from_be_bytes([from[0], from[1], from[2], from[3]]); }
    for i in 16..64 {
        let (a, b) = (w[i - 15], w[i - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut last] = *h;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t1 = last.wrapping_add(s1).wrapping_add(e & f ^ !e & g).wrapping_add(K[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add(a & b ^ a & c ^ b & c);
        (last, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (sum, v) in h.iter_mut().zip([a, b, c, d, e, f, g, last]) { *sum = sum.wrapping_add(v); }
}
